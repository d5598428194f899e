// What a failed token request at an upstream means to a caller who waits for it: it passes, or its operator has to act.
import * as oauth from 'oauth4webapi'
import { type LogDetail, UpstreamError } from '../errors.ts'
import { loggableErrorCode } from './error-code.ts'
import type { UpstreamServer } from './server.ts'
import { refusedAnswer } from './token-endpoint.ts'

/** The client may try again after this unless the upstream named a time. */
const RETRY_SECONDS = 5
/** However long the upstream wants to be left alone. */
const LONGEST_RETRY_SECONDS = 24 * 3600
/** Servers choose the ids of those who register. */
const LONGEST_LOGGED_ID = 200
/** RFC 6749 §5.2 errors that mean this gateway's registration or configuration is at fault. */
const OPERATOR_ERRORS: ReadonlySet<string> = new Set([
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_request',
  'invalid_scope',
  'invalid_target',
])

/** Whether the server says no to this very request (RFC 6749 §5.2): asked again it would say it again. Everything else that it may write or answer passes by itself. */
export function isRefusal(error: oauth.ResponseBodyError): boolean {
  return isOperators(error) || (error.error === 'invalid_grant' && !isTrouble(error))
}

function isOperators(error: oauth.ResponseBodyError): boolean {
  return OPERATOR_ERRORS.has(error.error) && !isTrouble(error)
}

/** It is overloaded, whatever it writes. Of a 5xx the library reads no error at all. */
export const isTrouble = ({ status }: oauth.ResponseBodyError) => status === 429

/** What a server answered, and to whom: a route may have several servers, and each of them knows the gateway as another. */
export function answerDetail(
  { error, status }: oauth.ResponseBodyError,
  { tokenEndpoint, clientId }: UpstreamServer,
): LogDetail {
  return {
    upstreamError: loggableErrorCode(error),
    upstreamStatus: status,
    authorizationServer: new URL(tokenEndpoint).host,
    upstreamClient: clientId.slice(0, LONGEST_LOGGED_ID),
  }
}

/** What is thrown in place of whatever the protocol library threw. Every cause but the listed ones passes by itself. */
export function tokenFailure(error: unknown, server: UpstreamServer, nowMs: number): unknown {
  if (error instanceof oauth.ResponseBodyError) {
    const detail = answerDetail(error, server)
    if (isOperators(error)) {
      return new UpstreamError(
        'credential_refused',
        'the upstream sign-in server refused this gateway: its operator has to act',
        detail,
      )
    }
    return unavailable(detail, retryAfterSeconds(error.response.headers.get('retry-after'), nowMs))
  }
  if (error instanceof UpstreamError) return unavailable({ fault: error.fault, ...error.detail })
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    const answer = refusedAnswer(error)
    const retryAfter = retryAfterSeconds(answer?.headers.get('retry-after'), nowMs)
    return unavailable({ reason: error.code, upstreamStatus: answer?.status }, retryAfter)
  }
  return error
}

function unavailable(detail: LogDetail, retryAfter = RETRY_SECONDS): UpstreamError {
  return new UpstreamError(
    'unavailable',
    'the upstream sign-in server does not answer as it should: try again',
    detail,
    retryAfter,
  )
}

/** Seconds or a date (RFC 9110 §10.2.3). A date that has passed names no time: one of the two clocks is wrong. */
function retryAfterSeconds(header: string | null | undefined, nowMs: number): number | undefined {
  if (header == null) return undefined
  const seconds = /^\d{1,6}$/.test(header) ? Number(header) : Math.ceil((httpDateMs(header) - nowMs) / 1000)
  return seconds >= 0 ? Math.min(seconds, LONGEST_RETRY_SECONDS) : undefined
}

/** One of the three forms of RFC 9110 §5.6.7, of which asctime's names no zone; NaN for anything else. */
function httpDateMs(text: string): number {
  if (!/^[A-Z][a-z]{2,8},? [\w: -]{15,30}$/.test(text)) return Number.NaN
  return Date.parse(text.endsWith(' GMT') ? text : `${text} GMT`)
}
