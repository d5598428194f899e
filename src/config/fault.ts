// A mistake in the YAML itself, by offset: there may be no value to point at.

export const MAX_BYTES = 1024 * 1024
export const MAX_DEPTH = 64

export interface Fault {
  readonly rule: string
  readonly message: string
  readonly hint?: string
  readonly start: number
  readonly end: number
  readonly fix?: {
    readonly start: number
    readonly end: number
    readonly text: string
    readonly title: string
    readonly isPrivate: boolean
  }
}

export function fault(rule: string, message: string, start: number, hint?: string, end = start + 1): Fault {
  return {
    rule: `yaml/${rule}`,
    message,
    start,
    end: Math.max(end, start + 1),
    ...(hint === undefined ? {} : { hint }),
  }
}
