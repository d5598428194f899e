// What undici's and the socket's error codes mean to a client. The code goes to the log; hosts and bytes go nowhere.
import { errors } from 'undici'
import { UpstreamError, type UpstreamFault } from '../errors.ts'

/** A refused credential is judged by the caller, who knows whose it was. */
type RelayFault = Exclude<UpstreamFault, 'credential_refused'>

const MESSAGES: Readonly<Record<RelayFault, string>> = {
  unreachable: 'the MCP server could not be reached',
  reset: 'the MCP server closed the connection before it answered',
  bad_response: 'the MCP server sent an answer that is not MCP',
  redirected: 'the MCP server answered with a redirect',
  timeout: 'the MCP server did not answer in time',
  unavailable: 'the gateway is shutting down',
}

const FAULTS: Readonly<Record<string, RelayFault>> = {
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  ERR_PROXY_ETIMEDOUT: 'timeout',
  ERR_PROXY_UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_OVERFLOW: 'bad_response',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'bad_response',
}

/** undici refused our own request, as with a line break in a configured header: a 500, not the upstream's fault. */
const OURS = 'UND_ERR_INVALID_ARG'

export function upstreamFault(
  fault: RelayFault,
  detail: Readonly<Record<string, string | number>> = {},
): UpstreamError {
  return new UpstreamError(fault, MESSAGES[fault], detail)
}

/** `sent`: the request was on its way, so the upstream may have acted on it. */
export function faultOf(error: Error, sent: boolean): Error {
  // Its `data` is the upstream's bytes, so the error itself must not travel on.
  if (error instanceof errors.HTTPParserError) return upstreamFault('bad_response', { reason: 'HTTP_PARSER' })
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (code === undefined || code === OURS) return error
  return upstreamFault(FAULTS[code] ?? (sent ? 'reset' : 'unreachable'), { reason: code })
}
