// How long an HTTP answer may be kept (RFC 9111 §5.2.2), within bounds of our own. Pure.

export interface LifetimeBounds {
  readonly minMs: number
  readonly maxMs: number
  /** For an answer that does not say. */
  readonly defaultMs: number
}

/** 0 for `no-store`; everything else lives at least for the shortest time. */
export function lifetimeMs(
  cacheControl: string | undefined,
  { minMs, maxMs, defaultMs }: LifetimeBounds,
): number {
  const directives = (cacheControl ?? '').toLowerCase()
  if (/\bno-store\b/.test(directives)) return 0
  const maxAge = /max-age\s*=\s*"?(\d{1,9})/.exec(directives)?.[1]
  const wantedMs = maxAge === undefined ? defaultMs : Number(maxAge) * 1000
  return Math.min(Math.max(wantedMs, minMs), maxMs)
}
