// What undici's and the socket's error codes mean to a client. The code goes to the log; hosts and bytes go nowhere.
import { errors } from 'undici'
import { UpstreamError, type UpstreamFault } from '../errors.ts'

const FAULTS: Readonly<Record<string, UpstreamFault>> = {
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_CLOSED: 'unavailable',
  UND_ERR_DESTROYED: 'unavailable',
  UND_ERR_HEADERS_OVERFLOW: 'bad_response',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'bad_response',
}

/** Errors that blame our own request. They stay as they are: a 500 and a bug report, not the upstream's fault. */
const OURS = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH'])

const MESSAGES: Readonly<Partial<Record<UpstreamFault, string>>> = {
  unreachable: 'the MCP server could not be reached',
  reset: 'the MCP server closed the connection before it answered',
  bad_response: 'the MCP server sent an answer that is not MCP',
  redirected: 'the MCP server answered with a redirect',
  timeout: 'the MCP server did not answer in time',
  unavailable: 'the gateway is shutting down',
}

export function upstreamFault(
  fault: UpstreamFault,
  detail: Readonly<Record<string, string | number>> = {},
): UpstreamError {
  return new UpstreamError(fault, MESSAGES[fault] ?? 'the MCP server failed', detail)
}

/** `sent`: the request was on its way, so the upstream may have acted on it. */
export function faultOf(error: Error, sent: boolean): Error {
  // Its `data` is the upstream's bytes, so the error itself must not travel on.
  if (error instanceof errors.HTTPParserError) return upstreamFault('bad_response', { code: 'HTTP_PARSER' })
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (code === undefined || OURS.has(code)) return error
  return upstreamFault(FAULTS[code] ?? (sent ? 'reset' : 'unreachable'), { code })
}
