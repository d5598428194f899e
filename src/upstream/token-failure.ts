// What a failed token request at an upstream means to a caller who waits for it: it passes, or its operator has to act.
import * as oauth from 'oauth4webapi'
import { type LogDetail, UpstreamError } from '../errors.ts'
import { loggableErrorCode } from './error-code.ts'
import { refusedAnswer } from './token-endpoint.ts'

/** The client may try again after this unless the upstream named a time. */
const RETRY_SECONDS = 5
/** RFC 6749 §5.2 errors that mean this gateway's registration or configuration is at fault. */
const OPERATOR_ERRORS: ReadonlySet<string> = new Set([
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_request',
  'invalid_scope',
  'invalid_target',
])

/** What is thrown in place of whatever the protocol library threw. Every cause but the listed ones passes by itself. */
export function tokenFailure(error: unknown): unknown {
  if (error instanceof oauth.ResponseBodyError) {
    const detail = { upstreamError: loggableErrorCode(error.error), upstreamStatus: error.status }
    if (OPERATOR_ERRORS.has(error.error) && error.status < 500 && error.status !== 429) {
      return new UpstreamError(
        'credential_refused',
        'the upstream sign-in server refused this gateway: its operator has to act',
        detail,
      )
    }
    return unavailable(detail, retryAfterSeconds(error.response.headers.get('retry-after')))
  }
  if (error instanceof UpstreamError) return unavailable({ fault: error.fault, ...error.detail })
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    const answer = refusedAnswer(error)
    const retryAfter = retryAfterSeconds(answer?.headers.get('retry-after'))
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

function retryAfterSeconds(header: string | null | undefined): number | undefined {
  return header != null && /^\d{1,6}$/.test(header) ? Number(header) : undefined
}
