// What an answer on the control plane comes to, whoever gave it. Pure.

/** The JSON object in a body; undefined for everything else. A byte order mark before it is none of its text (RFC 8259 §8.1). */
export function jsonObject(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/** Whether a status says something about the moment and nothing about what was asked for. */
export function isPassing(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500
}
