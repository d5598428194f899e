// Errors of the OAuth endpoints as replies: a page for people, JSON for clients. What is not one of our own errors says
// nothing to the outside and everything to the log.
import type { IncomingHttpHeaders } from 'node:http'
import { errorFields, GatewayError, HttpError } from '../errors.ts'
import type { Log } from '../ops/log.ts'
import { PAGE_HEADERS } from '../pages/layout.ts'
import { messagePage } from '../pages/message.ts'
import { htmlReply, jsonReply, type Reply } from '../reply.ts'
import type { Endpoint } from './endpoint.ts'

export interface FailureContext {
  readonly audience: Endpoint['audience']
  readonly path: string
  readonly brand: string
  readonly headers: IncomingHttpHeaders
  readonly log: Log
}

export function failureReply(thrown: unknown, context: FailureContext): Reply {
  const error = asGatewayError(thrown, context.log)
  const { status, code, message } = error
  context.log.info('request refused', { path: context.path, ...errorFields(error) })
  const retry = retryAfter(error)
  if (context.audience === 'browser') return page(error, context.brand, retry)
  return jsonReply(
    status,
    { error: code, error_description: message },
    { ...retry, ...basicChallenge(code, context.headers) },
  )
}

class Unexpected extends GatewayError {
  override readonly title = 'Something went wrong here'
  readonly status = 500
  readonly code = 'server_error'
}

/** Our own errors as they are; the server framework's refusals by their status; everything else as a fault of ours, told to the log alone. */
export function asGatewayError(thrown: unknown, log: Log): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  const status = thrown instanceof Error && 'statusCode' in thrown ? Number(thrown.statusCode) : 500
  if (status >= 400 && status < 500) return new HttpError(status, 'the request could not be read')
  log.error('unexpected error', {
    error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
  })
  return new Unexpected('the gateway failed: its log says why')
}

export function retryAfter({ retryAfterSeconds }: GatewayError): Readonly<Record<string, string>> {
  return retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
}

function page(error: GatewayError, brand: string, headers: Readonly<Record<string, string>>): Reply {
  // A 401 without a challenge is no HTTP answer for a browser.
  const status = error.status === 401 ? 400 : error.status
  const html = messagePage(brand, { title: error.title, text: sentence(error.message) })
  return htmlReply(status, html, { ...PAGE_HEADERS, ...headers })
}

/** RFC 6749 §5.2: who tried Basic is told that Basic is the scheme. */
function basicChallenge(code: string, headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  return code === 'invalid_client' && headers.authorization !== undefined
    ? { 'www-authenticate': 'Basic realm="token"' }
    : {}
}

function sentence(text: string): string {
  const start = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(start) ? start : `${start}.`
}
