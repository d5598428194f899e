// How long a server that was just asked, or has just failed, is left alone. Pure.

/** Either way: a clock that was set back must not have it left alone until the clock has caught up. */
export function isResting(sinceMs: number, forMs: number, nowMs: number): boolean {
  return Math.abs(nowMs - sinceMs) < forMs
}
