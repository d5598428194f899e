// The `error` that an upstream sent, made fit for a log line. Pure.

/** It may hold anything, a token or a line break included: only what reads like a code of RFC 6749 is repeated (sec-O1, sec-O2). */
export function loggableErrorCode(error: string): string {
  return /^[a-z_]{1,60}$/.test(error) ? error : 'not an error code'
}
