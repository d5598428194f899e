// Which headers cross the gateway, both ways. Allow-lists: what is not named here stays behind, so a new or forged
// header can neither carry a client's credential upstream nor let an upstream act on our origin. Pure.
import type { IncomingHttpHeaders } from 'node:http'
import { HttpError } from '../errors.ts'
import { foldHeaderName } from '../header-name.ts'
import type { Credentials } from '../slots.ts'

/** What every MCP request may say to its upstream, besides every `mcp-*` header. */
const REQUEST_HEADERS = new Set([
  'accept',
  'accept-language',
  'content-type',
  'last-event-id',
  'user-agent',
  'traceparent',
  'tracestate',
])

/** What not even `forward_headers` opens: the client's credentials, our own framing, and hop-by-hop fields (RFC 9110 §7.6.1). */
const NEVER_FORWARDED = new Set([
  'authorization',
  'cookie',
  'origin',
  'host',
  'forwarded',
  'accept-encoding',
  'content-encoding',
  'content-length',
  'expect',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const RESPONSE_HEADERS = new Set(['content-type', 'content-length', 'retry-after'])

const MCP_MEDIA_TYPE = /^(application\/([\w.-]+\+)?json|text\/event-stream)$/

/** Two copies of these let the gateway judge one and the upstream obey the other. */
const SINGLE_HEADERS = new Set([
  'authorization',
  'content-type',
  'host',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'origin',
])

export interface HeaderPolicy {
  /** The route's `forward_headers`. */
  readonly forward: readonly string[]
  /** What only the gateway says, folded: a client's copy stays behind although ours may be absent. */
  readonly withheld?: ReadonlySet<string> | undefined
}

/** Node keeps the first of two `Authorization` or `Host` silently and joins two session ids to "a, b" (sec-P2, sec-P17). */
export function checkSingleHeaders(rawHeaders: readonly string[]): void {
  const seen = new Set<string>()
  for (const [name, value] of pairs(rawHeaders)) {
    if (!SINGLE_HEADERS.has(name)) continue
    const joined = name === 'mcp-session-id' && value.includes(',')
    if (joined || seen.has(name))
      throw new HttpError(400, `header ${name} must appear once`, { header: name })
    seen.add(name)
  }
}

/** Whether the answer may be an event stream that stays open: the GET stream, or 2026-07-28's `subscriptions/listen`. */
export function isStreamRequest(method: string, rawHeaders: readonly string[]): boolean {
  if (method !== 'POST') return method === 'GET'
  for (const [name, value] of pairs(rawHeaders))
    if (name === 'mcp-method') return value === 'subscriptions/listen'
  return false
}

/**
 * The upstream request's headers as undici's flat array: what the client may say, then ours. Ours come last and
 * replace the client's, so `Connection: x-api-key` or a forged copy can neither strip nor shadow a credential (sec-P3).
 */
export function requestHeaders(
  rawHeaders: readonly string[],
  policy: HeaderPolicy,
  credentials: Credentials,
  fixed: Readonly<Record<string, string>>,
): string[] {
  const ours = ourHeaders(credentials, fixed)
  const nominated = nominatedByConnection(rawHeaders)
  // By another spelling that the upstream takes for the same a client would say it in our place.
  const taken = new Set([...ours.keys()].map(foldHeaderName))
  const headers: string[] = []
  for (const [name, value] of pairs(rawHeaders)) {
    const isFree = !nominated.has(name) && !taken.has(foldHeaderName(name))
    if (isFree && isForwarded(name, policy)) headers.push(name, value)
  }
  for (const [name, value] of ours) headers.push(name, value)
  return headers
}

/** The client's response headers: the upstream's by allow-list, and what keeps its bytes inert on our login origin (sec-P9, sec-P10). */
export function responseHeaders(upstream: IncomingHttpHeaders): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(upstream)) {
    if (value !== undefined && (RESPONSE_HEADERS.has(name) || isMcpHeader(name))) headers[name] = value
  }
  headers['x-content-type-options'] = 'nosniff'
  headers['cache-control'] = 'no-store'
  if (isEventStream(upstream)) {
    // A proxy before us that compresses or buffers would hold events back.
    headers['cache-control'] = 'no-store, no-transform'
    headers['x-accel-buffering'] = 'no'
  }
  return headers
}

export const isEventStream = (headers: IncomingHttpHeaders): boolean =>
  mediaType(headers) === 'text/event-stream'

/** JSON and event streams are all that MCP answers with. Anything else could render, and run, on our origin (sec-P10). */
export function isMcpBody(headers: IncomingHttpHeaders): boolean {
  const encoding = String(headers['content-encoding'] ?? 'identity')
  return encoding.trim().toLowerCase() === 'identity' && MCP_MEDIA_TYPE.test(mediaType(headers))
}

/** A repeated content-type is joined by String and so is none we know: browsers and clients pick different ones. */
function mediaType(headers: IncomingHttpHeaders): string {
  const type = String(headers['content-type'] ?? '')
  return (type.includes(',') ? '' : (type.split(';', 1)[0] ?? '')).trim().toLowerCase()
}

function ourHeaders(credentials: Credentials, fixed: Readonly<Record<string, string>>): Map<string, string> {
  // Without accept-encoding any coding is acceptable (RFC 9110 §12.5.3), and a coded stream is a buffered one.
  const ours = new Map([['accept-encoding', 'identity']])
  for (const [name, value] of Object.entries(fixed)) ours.set(name.toLowerCase(), value)
  for (const [name, value] of Object.entries(credentials.headers)) ours.set(name.toLowerCase(), value)
  return ours
}

function isForwarded(name: string, policy: HeaderPolicy): boolean {
  if (policy.withheld?.has(foldHeaderName(name))) return false
  if (REQUEST_HEADERS.has(name) || isMcpHeader(name)) return true
  if (NEVER_FORWARDED.has(name) || name.startsWith('x-forwarded-') || name.includes('_')) return false
  return policy.forward.some((wanted) => wanted.toLowerCase() === name)
}

/** `mcp_session_id` is another name: servers that fold `_` into `-` would read the twin we never judged (CVE-2025-64484). */
const isMcpHeader = (name: string): boolean => name.startsWith('mcp-') && !name.includes('_')

function nominatedByConnection(rawHeaders: readonly string[]): Set<string> {
  const nominated = new Set<string>()
  for (const [name, value] of pairs(rawHeaders)) {
    if (name !== 'connection') continue
    for (const option of value.split(',')) nominated.add(option.trim().toLowerCase())
  }
  return nominated
}

function* pairs(rawHeaders: readonly string[]): Generator<[name: string, value: string]> {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    yield [(rawHeaders[index] ?? '').toLowerCase(), rawHeaders[index + 1] ?? '']
  }
}
