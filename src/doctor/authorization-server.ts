// Does an upstream's authorization server exist, support PKCE, know us as a client and take our redirect URI? Asks what
// a sign-in would ask, with a code that nobody issued. Signs nobody in and registers nothing.
import { randomBytes } from 'node:crypto'
import { type ClientKey, writtenKey } from '../auth/client-key.ts'
import { fixedServer } from '../auth/configured-server.ts'
import type { ConfiguredServer } from '../auth/context.ts'
import { UpstreamError } from '../errors.ts'
import { authorizationUrl, createCodeVerifier } from '../upstream/authorization-code.ts'
import { canFetchFrom } from '../upstream/client-metadata.ts'
import { discoverResource, discoverServer, discoverServerOf } from '../upstream/discovery.ts'
import { loggableErrorCode } from '../upstream/error-code.ts'
import type { ControlHttp } from '../upstream/http.ts'
import { chooseAuthMethod } from '../upstream/register.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import type { ServerMetadata } from '../upstream/server-metadata.ts'
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
  const fixed = entry && fixedServer(entry, redirectUri, keyOf(configured))
  if (fixed) {
    const note = ok(scope, 'its endpoints are fixed, so nothing says whether it supports PKCE; S256 is sent')
    return [note, ...(await checkSignIn(question, fixed, http))]
  }
  try {
    const metadata = await metadataOf(question, http)
    const found = published(scope, metadata)
    const server = discovered(question, metadata)
    if (server) return [found, ...(await checkSignIn(question, server, http))]
    return metadata.isAssumed ? [found] : [found, registration(question, metadata)]
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

function published(scope: string, { issuer, isAssumed }: ServerMetadata): Finding {
  return isAssumed
    ? warn(
        scope,
        `${issuer} publishes no metadata; if it is of MCP 2025-03-26, its endpoints are /authorize, /token and /register`,
        'Write issuer, or authorization_endpoint and token_endpoint, under authorization_server.',
      )
    : ok(scope, `${issuer} is the authorization server, and supports PKCE with S256`)
}

async function metadataOf(
  { configured: { entry }, upstream }: ServerQuestion,
  http: ControlHttp,
): Promise<ServerMetadata> {
  if (entry?.issuer !== undefined) return discoverServer(http, entry.issuer, 'configured')
  return discoverServerOf(http, await discoverResource(http, upstream), { derivedFrom: upstream.hostname })
}

/** The gateway's own key lies in its store, which is not opened here. */
function keyOf({ entry }: ConfiguredServer): ClientKey | undefined {
  return entry?.private_key === undefined ? undefined : writtenKey(entry.private_key, entry.private_key_id)
}

function discovered(
  { configured, upstream }: ServerQuestion,
  metadata: ServerMetadata,
): UpstreamServer | undefined {
  const { entry, redirectUri } = configured
  if (entry?.client_id === undefined) return undefined
  const { client_id: clientId, client_secret: clientSecret, token_endpoint_auth_method: method } = entry
  const base = entry.issuer === undefined ? upstream : new URL(entry.issuer)
  const key = keyOf(configured)
  const credential = { secret: clientSecret !== undefined, key: key !== undefined }
  return {
    issuer: metadata.issuer,
    issParameterSupported: metadata.issParameterSupported,
    authorizationEndpoint: metadata.authorizationEndpoint,
    tokenEndpoint: metadata.tokenEndpoint,
    trust: { derivedFrom: base.hostname },
    clientId,
    clientSecret,
    authMethod: method ?? chooseAuthMethod(metadata.authMethods, credential),
    assertion: key && { audience: metadata.issuer, key },
    authorizationParameters: entry.authorization_parameters,
    redirectUri,
  }
}

function registration({ scope, configured }: ServerQuestion, metadata: ServerMetadata): Finding {
  const { entry, redirectUri, documentUrl } = configured
  const ways = entry?.registration ?? ['cimd', 'dynamic']
  const document = entry?.client_id_metadata_url ?? documentUrl
  const isFetchable = document !== documentUrl || canFetchFrom(documentUrl, metadata.issuer)
  if (ways.includes('cimd') && metadata.clientDocuments === true && isFetchable)
    return ok(scope, `it takes metadata documents: the gateway is known there as ${document}`)
  if (ways.includes('dynamic') && metadata.registrationEndpoint !== undefined)
    return ok(scope, 'it takes registrations: the gateway registers itself at the first sign-in')
  return fail(
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
