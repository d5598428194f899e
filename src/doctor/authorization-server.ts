// Does an upstream's authorization server exist, support what the route needs of it, know us as a client and take our
// redirect URI? Asks what the route would ask, with a code or token that nobody issued. Signs nobody in, registers nothing.
import { randomBytes } from 'node:crypto'
import { type ClientKey, writtenKey } from '../auth/client-key.ts'
import { fixedServer, withoutBrowser } from '../auth/configured-server.ts'
import type { ConfiguredServer } from '../auth/context.ts'
import { UpstreamError } from '../errors.ts'
import { authorizationUrl, createCodeVerifier } from '../upstream/authorization-code.ts'
import { canFetchFrom } from '../upstream/client-metadata.ts'
import { discoverResource, discoverServer, discoverServerOf } from '../upstream/discovery.ts'
import { loggableErrorCode } from '../upstream/error-code.ts'
import type { ControlHttp } from '../upstream/http.ts'
import { chooseAuthMethod, takesOwnAssertions } from '../upstream/register.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import type { ServerMetadata } from '../upstream/server-metadata.ts'
import { SERVICE_GRANTS, type ServiceGrant } from '../upstream/service-tokens.ts'
import { checkClient } from './client.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { reasonOf, whyNot } from './observe.ts'
import { checkServiceClient } from './service-client.ts'

export interface ServerQuestion {
  /** `authorization_servers.github`, or the route's when it is written there or discovered. */
  readonly scope: string
  readonly configured: ConfiguredServer
  readonly upstream: URL
  readonly scopes: readonly string[]
  /** Undefined: people are sent there. */
  readonly service: ServiceGrant | undefined
}

export async function checkServer(question: ServerQuestion, http: ControlHttp): Promise<Finding[]> {
  const { scope, service } = question
  const configured = service === undefined ? question.configured : withoutBrowser(question.configured)
  const { entry, redirectUri } = configured
  const fixed = entry && fixedServer(entry, redirectUri, keyOf(configured))
  if (fixed) {
    const says = service === undefined ? 'whether it supports PKCE; S256 is sent' : 'more of it'
    const note = ok(scope, `its endpoints are fixed, so nothing says ${says}`)
    return [note, ...(await checkUse(question, fixed, http))]
  }
  try {
    const metadata = await metadataOf(question, http)
    const found = published(question, metadata)
    const server = discovered(question, metadata)
    if (server) return [...found, ...(await checkUse(question, server, http))]
    return metadata.isAssumed ? found : [...found, registration(question, metadata)]
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

function published(
  { scope, service }: ServerQuestion,
  { issuer, isAssumed, grantTypes }: ServerMetadata,
): Finding[] {
  if (isAssumed)
    return [
      warn(
        scope,
        `${issuer} publishes no metadata; if it is of MCP 2025-03-26, its endpoints are /authorize, /token and /register`,
        'Write issuer, or authorization_endpoint and token_endpoint, under authorization_server.',
      ),
    ]
  if (service === undefined)
    return [ok(scope, `${issuer} is the authorization server, and supports PKCE with S256`)]
  const found = ok(scope, `${issuer} is the authorization server`)
  const grant = SERVICE_GRANTS[service]
  if (grantTypes === undefined || grantTypes.includes(grant)) return [found]
  const advice = 'Some leave out what they support: ask whoever runs it.'
  return [found, warn(scope, `its metadata does not list the grant ${grant}`, advice)]
}

async function metadataOf(
  { configured: { entry }, upstream, service }: ServerQuestion,
  http: ControlHttp,
): Promise<ServerMetadata> {
  const use = service === undefined ? 'sign_in' : 'service'
  if (entry?.issuer !== undefined) return discoverServer(http, entry.issuer, 'configured', use)
  const trust = { derivedFrom: upstream.hostname }
  return discoverServerOf(http, await discoverResource(http, upstream), trust, use)
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

function registration({ scope, configured, service }: ServerQuestion, metadata: ServerMetadata): Finding {
  const { entry, redirectUri, documentUrl } = configured
  const ways = entry?.registration ?? ['cimd', 'dynamic']
  const document = entry?.client_id_metadata_url ?? documentUrl
  const isFetchable = document !== documentUrl || canFetchFrom(documentUrl, metadata.issuer)
  // RFC 6749 §4.4: as auth/own-client.ts judges it.
  const isProven = service !== 'client_credentials' || provesByDocument(configured, metadata)
  if (ways.includes('cimd') && metadata.clientDocuments === true && isFetchable && isProven)
    return ok(scope, `it takes metadata documents: the gateway is known there as ${document}`)
  if (ways.includes('dynamic') && metadata.registrationEndpoint !== undefined)
    return ok(scope, `it takes registrations: the gateway registers itself at the first ${firstUse(service)}`)
  return fail(
    scope,
    'it takes no registrations, and no client_id is configured',
    `Create a client there ${service ? `for the grant ${SERVICE_GRANTS[service]}` : `with the redirect URI ${redirectUri}`}, and write its client_id under authorization_server.`,
  )
}

const firstUse = (service: ServiceGrant | undefined) => (service === undefined ? 'sign-in' : 'use')

function provesByDocument({ entry }: ConfiguredServer, metadata: ServerMetadata): boolean {
  const isOwn = entry?.client_id_metadata_url === undefined
  const fitting = isOwn && takesOwnAssertions(metadata) ? 'private_key_jwt' : 'none'
  return (entry?.token_endpoint_auth_method ?? fitting) !== 'none'
}

async function checkUse(
  question: ServerQuestion,
  server: UpstreamServer,
  http: ControlHttp,
): Promise<Finding[]> {
  const { scope, service } = question
  return service === undefined
    ? checkSignIn(question, server, http)
    : [await checkServiceClient(scope, service, server, http)]
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
