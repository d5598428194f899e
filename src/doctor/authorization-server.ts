// Does an upstream's authorization server exist, support PKCE, know us as a client and take our redirect URI? Asks what
// a sign-in would ask, with a code that nobody issued. Signs nobody in and registers nothing.
import { randomBytes } from 'node:crypto'
import { fixedServer } from '../auth/authorization-code.ts'
import type { ConfiguredServer } from '../auth/context.ts'
import { UpstreamError } from '../errors.ts'
import { authorizationUrl, createCodeVerifier } from '../upstream/authorization-code.ts'
import { discoverResource, discoverServer, type ServerMetadata } from '../upstream/discovery.ts'
import { loggableErrorCode } from '../upstream/error-code.ts'
import type { ControlHttp, Trust } from '../upstream/http.ts'
import { chooseAuthMethod } from '../upstream/register.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import { checkClient } from './client.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { reasonOf } from './observe.ts'

export interface ServerQuestion {
  /** `authorization_servers.github`, or the route's when it is written there or discovered. */
  readonly scope: string
  readonly configured: ConfiguredServer
  readonly upstream: URL
  readonly scopes: readonly string[]
}

export async function checkServer(question: ServerQuestion, http: ControlHttp): Promise<Finding[]> {
  const { scope, configured } = question
  const { entry, redirectUri } = configured
  const fixed = entry && fixedServer(entry, redirectUri)
  if (fixed) {
    const note = ok(scope, 'its endpoints are fixed, so nothing says whether it supports PKCE; S256 is sent')
    return [note, ...(await checkSignIn(question, fixed, http))]
  }
  try {
    const { issuer, trust } = await issuerOf(question, http)
    const metadata = await discoverServer(http, issuer, trust)
    const found = ok(scope, `${issuer} is the authorization server, and supports PKCE with S256`)
    const server = discovered(question, metadata)
    return [
      found,
      ...(server ? await checkSignIn(question, server, http) : [registration(question, metadata)]),
    ]
  } catch (error) {
    if (isToldAlready(error, question)) return []
    return [
      fail(
        scope,
        whyNot(error),
        'Write issuer, or authorization_endpoint and token_endpoint, under authorization_server.',
      ),
    ]
  }
}

async function issuerOf({ configured: { entry }, upstream }: ServerQuestion, http: ControlHttp) {
  const trust = (issuer: string | undefined): Trust =>
    issuer === undefined ? { derivedFrom: upstream.hostname } : 'configured'
  const issuer = entry?.issuer ?? (await discoverResource(http, upstream)).issuer
  return { issuer, trust: trust(entry?.issuer) }
}

function discovered(
  { configured, upstream }: ServerQuestion,
  metadata: ServerMetadata,
): UpstreamServer | undefined {
  const { entry, redirectUri } = configured
  if (entry?.client_id === undefined) return undefined
  const { client_id: clientId, client_secret: clientSecret, token_endpoint_auth_method: method } = entry
  const base = entry.issuer === undefined ? upstream : new URL(entry.issuer)
  return {
    issuer: metadata.issuer,
    issParameterSupported: metadata.issParameterSupported,
    authorizationEndpoint: metadata.authorizationEndpoint,
    tokenEndpoint: metadata.tokenEndpoint,
    trust: { derivedFrom: base.hostname },
    clientId,
    clientSecret,
    authMethod: method ?? chooseAuthMethod(metadata.authMethods, clientSecret !== undefined),
    authorizationParameters: entry.authorization_parameters,
    redirectUri,
  }
}

function registration(
  { scope, configured: { redirectUri } }: ServerQuestion,
  metadata: ServerMetadata,
): Finding {
  return metadata.registrationEndpoint !== undefined
    ? ok(scope, 'it takes registrations: the gateway registers itself at the first sign-in')
    : fail(
        scope,
        'it takes no registrations, and no client_id is configured',
        `Create a client there with the redirect URI ${redirectUri}, and write its client_id under authorization_server.`,
      )
}

async function checkSignIn(
  question: ServerQuestion,
  server: UpstreamServer,
  http: ControlHttp,
): Promise<Finding[]> {
  const { scope } = question
  const checks = [checkClient(scope, server, http), checkAuthorizationEndpoint(question, server, http)]
  const redirect = ok(scope, `redirect URI that has to be registered there: ${server.redirectUri}`)
  return [redirect, ...(await Promise.all(checks))]
}

/** A server that knows neither client nor redirect URI must not redirect (RFC 6749 §4.1.2.1): it shows an error at once. */
async function checkAuthorizationEndpoint(
  { scope, scopes }: ServerQuestion,
  server: UpstreamServer,
  http: ControlHttp,
): Promise<Finding> {
  const request = {
    state: randomBytes(16).toString('base64url'),
    codeVerifier: createCodeVerifier(),
    scopes,
    resource: undefined,
  }
  const url = new URL(await authorizationUrl(server, request))
  try {
    const { status, headers } = await http({
      method: 'GET',
      url,
      headers: { accept: 'text/html' },
      trust: server.trust,
    })
    const back = errorSentBack(String(headers.location ?? ''), server.redirectUri)
    if (back !== undefined)
      return fail(
        scope,
        `the authorization endpoint refuses the sign-in (${back})`,
        ADVICE[back] ?? 'Look up this code at the provider.',
      )
    if (status === 400 || status === 404)
      return fail(
        scope,
        `the authorization endpoint refuses client or redirect URI (${status})`,
        `Check client_id, and register ${server.redirectUri} there.`,
      )
    return status < 400
      ? ok(scope, 'the authorization endpoint begins a sign-in')
      : warn(
          scope,
          `the authorization endpoint answers ${status}`,
          'Open it in a browser; it may only refuse programs.',
        )
  } catch (error) {
    const answered = error instanceof UpstreamError && error.fault === 'bad_response'
    if (answered) return ok(scope, 'the authorization endpoint answers')
    return fail(
      scope,
      `the authorization endpoint gave no answer: ${reasonOf(error)}`,
      'Check authorization_endpoint.',
    )
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  invalid_scope: 'Check auth.scope: the provider does not know one of its words.',
  unauthorized_client: 'Allow the authorization code grant for this client at the provider.',
}

/** That somebody has to sign in first is what we wanted to hear. */
const WANTED: readonly string[] = ['login_required', 'interaction_required', 'consent_required']

function errorSentBack(location: string, redirectUri: string): string | undefined {
  if (!location.startsWith(redirectUri)) return undefined
  const error = new URL(location).searchParams.get('error')
  return error === null || WANTED.includes(error) ? undefined : loggableErrorCode(error)
}

/** That the upstream itself is silent, its own check says. */
function isToldAlready(error: unknown, { upstream }: ServerQuestion): boolean {
  return error instanceof UpstreamError && SILENT.includes(error.fault) && error.detail.host === upstream.host
}

const SILENT: readonly string[] = ['unreachable', 'timeout']

function whyNot(error: unknown): string {
  if (!(error instanceof UpstreamError)) return reasonOf(error)
  const { issuer, expected, found } = error.detail
  const facts = [issuer, expected && `expected ${expected}`, found && `found ${found}`]
    .filter(Boolean)
    .join(', ')
  const reason = reasonOf(error)
  return facts === '' ? reason : `${reason}: ${facts}`
}
