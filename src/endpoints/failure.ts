// Errors of the OAuth endpoints as replies: a page for people, JSON for clients. What is not one of our own errors says
// nothing to the outside and everything to the log.
import type { IncomingHttpHeaders } from 'node:http'
import { HttpError, OAuthError, PageError } from '../errors.ts'
import type { Gateway } from '../gateway.ts'
import { PasswordsBusy } from '../login/password.ts'
import { PAGE_HEADERS } from '../pages/layout.ts'
import { type Message, messagePage } from '../pages/message.ts'
import { htmlReply, jsonReply, type Reply } from '../reply.ts'
import type { Deps, Endpoint } from './endpoint.ts'

const START_AGAIN = 'Go back to your client and connect again. If it keeps happening, tell whoever runs this gateway.'

export function failureReply(
  error: unknown,
  audience: Endpoint['audience'],
  gateway: Gateway | undefined,
  { log }: Deps,
  headers: IncomingHttpHeaders,
): Reply {
  const known = expected(error)
  if (known === undefined) log.error('unexpected error', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  else log.info('request refused', { audience, status: known.status, error: known.code, reason: known.message, ...known.detail })
  const { status, code, title, message } = known ?? UNEXPECTED
  const retry = status === 503 ? { 'retry-after': '1' } : {}
  if (audience === 'browser') return page(gateway, status, { title, text: message }, retry)
  return jsonReply(status, { error: code, error_description: message }, { ...retry, ...basicChallenge(code, headers) })
}

interface Known {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly message: string
  readonly detail?: OAuthError['detail']
}

const UNEXPECTED: Known = { status: 500, code: 'server_error', title: 'Something went wrong here', message: START_AGAIN }

function expected(error: unknown): Known | undefined {
  if (error instanceof OAuthError) {
    const { status, code, message, detail } = error
    return { status, code, title: 'This sign-in request cannot be used', message, detail }
  }
  if (error instanceof PageError) return { status: error.status, code: 'invalid_request', title: error.title, message: error.message, detail: error.detail }
  if (error instanceof HttpError) return { status: error.status, code: 'invalid_request', title: 'This request cannot be used', message: error.message, detail: error.detail }
  if (error instanceof PasswordsBusy) return { status: 503, code: 'temporarily_unavailable', title: 'Too many people are signing in', message: 'Try again in a moment.' }
  // Fastify's own refusals: a body that is too large, or of no known length.
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500
  if (status >= 400 && status < 500) return { status, code: 'invalid_request', title: 'This request cannot be used', message: 'The request could not be read.' }
  return undefined
}

function page(gateway: Gateway | undefined, status: number, message: Message, headers: Readonly<Record<string, string>>): Reply {
  // A 401 without a challenge is no HTTP answer for a browser.
  const shown = status === 401 ? 400 : status
  const text = { ...message, text: sentence(message.text) }
  return htmlReply(shown, messagePage(gateway?.brand ?? 'MCP gateway', text), { ...PAGE_HEADERS, ...headers })
}

/** RFC 6749 §5.2: who tried Basic is told that Basic is the scheme. */
function basicChallenge(code: string, headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  return code === 'invalid_client' && headers.authorization !== undefined ? { 'www-authenticate': 'Basic realm="token"' } : {}
}

function sentence(text: string): string {
  const start = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(start) ? start : `${start}.`
}
