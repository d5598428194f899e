// The MCP path: one request of a client, checked, given the upstream's credentials, and relayed as it comes. The chain
// reads top to bottom; a failure before the first byte is written as the client's own kind of error.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { errorFields, type GatewayError, HttpError, OAuthError, UpstreamError } from '../errors.ts'
import type { Gateway, Route } from '../gateway.ts'
import { MCP_METHODS } from '../mcp-methods.ts'
import { namingNoRoute, parseScope, union } from '../oauth/scope.ts'
import { isAllowedHost, isAllowedOrigin } from '../policy/origin.ts'
import type { Caller, Credentials } from '../slots.ts'
import { forward } from '../upstream/forward.ts'
import { checkSingleHeaders, isStreamRequest, requestHeaders } from '../upstream/headers.ts'
import { JSON_RPC_CODE, jsonRpcError, requestId } from '../upstream/json-rpc.ts'
import type { Pools } from '../upstream/pools.ts'
import { readBody } from '../upstream/read-body.ts'
import type { ForwardOutcome, ResponseHead, Verdict } from '../upstream/relay.ts'
import { parseBearerHints } from '../upstream/well-known.ts'
import { authenticate, challengeFor, MissingScopes } from './authenticate.ts'
import type { Deps } from './endpoint.ts'
import { asGatewayError, retryAfter } from './failure.ts'
import { rememberDemand } from './step-up.ts'

export interface McpExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly route: Route
  readonly gateway: Gateway
  readonly deps: Deps
  readonly pools: Pools
}

/** Always answers: nothing is thrown to the server. */
export async function proxyMcp(exchange: McpExchange): Promise<void> {
  let body: Buffer | undefined
  try {
    checkRequest(exchange)
    await relay(exchange, (read) => {
      body = read
    })
  } catch (error) {
    writeFailure(exchange, error, body)
  }
}

async function relay(exchange: McpExchange, onBody: (body: Buffer) => void): Promise<void> {
  const { request, route, gateway, deps } = exchange
  const { caller, tokenExpiresAtMs } = await authenticate(request.headers.authorization, route, gateway, deps)
  let accountSinceMs: number | undefined
  const onAttached = (credentials: Credentials): void => {
    accountSinceMs = credentials.accountSinceMs
  }
  // From here on, before the body: a token that is revoked while it arrives must not be used any more.
  const over = deps.streams.open({
    caller,
    accountSinceMs: () => accountSinceMs,
    tokenExpiresAtMs,
    upstream: route.upstream.url.href,
    end: () => exchange.response.destroy(),
  })
  const outcome = await readAndSend(exchange, caller, onBody, onAttached).finally(over)
  if (outcome.kind === 'stopped') throw await refusal(exchange, caller, outcome)
  const { status, kind: end } = outcome
  // What the upstream says no to for good is the operator's to know; a client sees only that it failed.
  const level = status === 403 || status >= 500 ? 'info' : 'debug'
  deps.log[level]('relayed', { route: route.name, method: request.method, status, end })
}

async function readAndSend(
  exchange: McpExchange,
  caller: Caller,
  onBody: (body: Buffer) => void,
  onAttached: (credentials: Credentials) => void,
): Promise<ForwardOutcome> {
  const { request, route } = exchange
  const body = await readBody(request, route.limits.max_body_bytes)
  onBody(body)
  return sendWithCredentials(exchange, caller, body, onAttached)
}

/** What goes out, and not into a session of somebody else, or of an account that was connected before. */
async function attach(
  { request, route, deps }: McpExchange,
  caller: Caller,
  onAttached: (credentials: Credentials) => void,
): Promise<Credentials> {
  const credentials = await route.auth.attach(caller)
  onAttached(credentials)
  const session = sessionOf(request.headers)
  const { url } = route.upstream
  if (session !== undefined) await deps.mcpSessions.check(session, caller, url, credentials.accountSinceMs)
  return credentials
}

/** Once more with other credentials when the upstream answers 401 and there are others: its token may have been revoked, or refreshed by somebody else meanwhile (spec-P7). */
async function sendWithCredentials(
  exchange: McpExchange,
  caller: Caller,
  body: Buffer,
  onAttached: (credentials: Credentials) => void,
): Promise<ForwardOutcome> {
  const { auth } = exchange.route
  const first = await attach(exchange, caller, onAttached)
  const outcome = await send(exchange, caller, first, body)
  if (!isUnauthorized(outcome) || !(await auth.rejected?.(caller, first, 1))) return outcome
  const second = await attach(exchange, caller, onAttached)
  const again = await send(exchange, caller, second, body)
  if (isUnauthorized(again)) await auth.rejected?.(caller, second, 2)
  return again
}

function isUnauthorized(outcome: ForwardOutcome): boolean {
  return outcome.kind === 'stopped' && outcome.status === 401
}

async function send(
  exchange: McpExchange,
  caller: Caller,
  credentials: Credentials,
  body: Buffer,
): Promise<ForwardOutcome> {
  const { request, response, route, pools } = exchange
  const { rawHeaders, method = '' } = request
  const { url, headers, forwardHeaders } = route.upstream
  const identity = await route.identity?.headers(caller)
  const policy = { forward: forwardHeaders, withheld: route.identity?.headerNames }
  return forward(
    {
      pools,
      url,
      ...(credentials.query !== undefined && { query: credentials.query }),
      method,
      headers: requestHeaders(rawHeaders, policy, credentials, { ...headers, ...identity }),
      ...(method === 'POST' && { body }),
      timeouts: { connectMs: route.timeouts.connect_ms, responseMs: route.timeouts.response_ms },
      isStream: isStreamRequest(method, rawHeaders),
      onResponseHead: (head) =>
        head.status < 300 ? noteSession(exchange, caller, credentials, head) : stopAtRefusal(request, head),
    },
    request,
    response,
  )
}

/**
 * An id beyond the ceiling is withheld and the answer stays: the call was carried out, and an upstream that names a new
 * id in every answer needs none of them.
 */
function noteSession(
  { request, route, deps }: McpExchange,
  caller: Caller,
  { accountSinceMs }: Credentials,
  head: ResponseHead,
): Verdict {
  const { url } = route.upstream
  const brought = sessionOf(request.headers)
  const named = sessionOf(head.headers)
  if (request.method === 'DELETE' && brought !== undefined) deps.mcpSessions.forget(brought, caller, url)
  if (isNamedTwice(head.headers)) return 'pass_without_session'
  // One that the client named itself may be of nobody here: it must not become the client's by that.
  if (named === undefined || named === brought) return 'pass'
  return deps.mcpSessions.remember(named, caller, url, accountSinceMs) ? 'pass' : 'pass_without_session'
}

async function refusal({ route, deps }: McpExchange, caller: Caller, head: ResponseHead): Promise<Error> {
  if (head.status === 401) return refusedBy(route, head)
  const needed = parseScope(parseBearerHints(challengeOf(head)).scope)
  const { grantId } = caller
  const helps = needed.length > 0 && (await route.auth.demanded?.(caller, needed))
  if (helps && grantId !== undefined) {
    await rememberDemand(grantId, needed, deps)
    return new MissingScopes('the upstream', union(caller.scopes, namingNoRoute(needed)), route)
  }
  // A challenge for scopes that were asked for and not granted would send the client round and round (design §5).
  return new OAuthError('access_denied', 'the upstream did not grant what this needs', {
    route: route.name,
    scopes: needed.join(' '),
  })
}

/** Undefined for one that was sent twice: a client's was refused by the check of single headers. */
function sessionOf({ 'mcp-session-id': id }: IncomingHttpHeaders): string | undefined {
  return typeof id === 'string' && id !== '' ? id : undefined
}

/** Each of them could be brought back, and none would be bound. */
const isNamedTwice = ({ 'mcp-session-id': id }: IncomingHttpHeaders) => Array.isArray(id)

// The upstream's own challenge would send the client to sign in at the upstream (sec-T14).
function stopAtRefusal({ headers }: IncomingMessage, head: ResponseHead): Verdict {
  const demandsScopes = head.status === 403 && /\binsufficient_scope\b/.test(challengeOf(head) ?? '')
  if (head.status === 401 || demandsScopes) return 'stop'
  // No session begins with a failure, and nobody may learn an id that nobody guards.
  if (isNamedTwice(head.headers)) return 'pass_without_session'
  const named = sessionOf(head.headers)
  return named === undefined || named === sessionOf(headers) ? 'pass' : 'pass_without_session'
}

function challengeOf({ headers }: ResponseHead): string | undefined {
  return headers['www-authenticate']
}

function refusedBy(route: Route, { status }: ResponseHead): Error {
  const detail = { route: route.name, status, reason: 'upstream_refused' }
  // A person can mend a link by connecting again; a shared key only the operator can (design §6.9).
  return route.auth.link === undefined
    ? new UpstreamError(
        'credential_refused',
        'the upstream refused the credentials of this gateway: its operator has to act',
        detail,
      )
    : new OAuthError('invalid_token', 'the upstream account is no longer connected: sign in again', detail)
}

function checkRequest({ request, gateway }: McpExchange): void {
  const { method = '', headers, rawHeaders } = request
  if (!MCP_METHODS.includes(method)) throw new HttpError(405, `${method} is not used by MCP`)
  checkSingleHeaders(rawHeaders)
  // DNS rebinding: a page of another site must reach us neither under its own name nor with its own origin (spec-R6).
  if (!isAllowedHost(gateway.site, headers.host)) {
    throw new HttpError(421, 'this gateway does not serve that Host: see server.allowed_hosts', {
      reason: 'host',
    })
  }
  if (!isAllowedOrigin(gateway.site, headers.origin)) {
    throw new HttpError(403, 'this Origin is not allowed: see server.allowed_origins', { reason: 'origin' })
  }
}

function writeFailure(
  { request, response, deps, route }: McpExchange,
  thrown: unknown,
  body: Buffer | undefined,
): void {
  const error = asGatewayError(thrown, deps.log)
  const { status } = error
  const level = status >= 500 ? 'warn' : 'info'
  deps.log[level]('request failed', { route: route.name, method: request.method, ...errorFields(error) })
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const text = failureBody(error, body)
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...retryAfter(error),
    ...challengeHeader(error, route),
    // RFC 9110 §15.5.6: a 405 names what is allowed.
    ...(status === 405 && { allow: MCP_METHODS.join(', ') }),
    // What is left of an unread body can't be told from a next request, so the connection ends with the answer.
    ...(!request.complete && { connection: 'close' }),
  }
  response.writeHead(status, headers).end(text)
}

function challengeHeader(error: GatewayError, route: Route): Readonly<Record<string, string>> {
  const challenge = error instanceof OAuthError ? challengeFor(error, route) : undefined
  return challenge === undefined ? {} : { 'www-authenticate': challenge }
}

/** OAuth's refusals in OAuth's form; all others carry the request's id, so that the call fails at once instead of timing out in the client (spec-P6). */
function failureBody(error: GatewayError, body: Buffer | undefined): string {
  if (error instanceof OAuthError)
    return JSON.stringify({ error: error.code, error_description: error.message })
  const code = error instanceof HttpError ? JSON_RPC_CODE.invalid_request : JSON_RPC_CODE.internal_error
  return jsonRpcError(body === undefined ? null : requestId(body), code, error.message)
}
