// How long a server that was just asked, or has just failed, is left alone. Pure.

const LONGEST_MS = 10_000

/** Either way: a clock that was set back must not have it left alone until the clock has caught up. */
export function isResting(sinceMs: number, forMs: number, nowMs: number): boolean {
  return Math.abs(nowMs - sinceMs) < forMs
}

/** As long as it says itself, within bounds: people wait. */
export function restMs({
  retryAfterSeconds = 1,
}: {
  readonly retryAfterSeconds: number | undefined
}): number {
  return Math.min(retryAfterSeconds * 1000, LONGEST_MS)
}
