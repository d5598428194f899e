// Does an upstream's authorization server exist, support what the route needs of it, know us as a client and take our
// redirect URI? Asks what the route would ask, with a code or token that nobody issued. Signs nobody in, registers nothing.
import { type ClientKey, writtenKey } from '../auth/client-key.ts'
import { discoveryInput, fixedServer, withoutBrowser } from '../auth/configured-server.ts'
import type { ConfiguredServer } from '../auth/context.ts'
import { type DiscoveryInput, derivedTrust, destinationOf } from '../auth/destination.ts'
import { introductionTo } from '../auth/own-client.ts'
import { UpstreamError } from '../errors.ts'
import { SIGN_IN_GRANTS } from '../oauth/grant-types.ts'
import { parseScope } from '../oauth/scope.ts'
import {
  discoverResource,
  discoverServer,
  discoverServerOf,
  type ProtectedResource,
} from '../upstream/discovery.ts'
import type { ControlHttp } from '../upstream/http.ts'
import { checkNotOwn, type ServerMetadata } from '../upstream/server-metadata.ts'
import { SERVICE_GRANTS, type ServiceGrant } from '../upstream/service-tokens.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { hintFor, type Situation } from './hints.ts'
import { whyNot } from './observe.ts'
import { checkServiceClient } from './service-client.ts'
import { checkSignIn, type Use } from './sign-in.ts'

export interface ServerQuestion {
  /** `authorization_servers.github`, or the route's when it is written there or discovered. */
  readonly scope: string
  /** Where it is written, or would be: the same, or `routes.github.auth.authorization_server`. */
  readonly place: string
  readonly configured: ConfiguredServer
  /** Where its tokens go, by the routes' scopes: `routes.github`. */
  readonly upstreams: ReadonlyMap<string, URL>
  readonly clientName: string
  /** Undefined: as the upstream says. */
  readonly wanted: string | undefined
  /** Undefined: people are sent there. */
  readonly service: ServiceGrant | undefined
}

export async function checkServer(question: ServerQuestion, http: ControlHttp): Promise<Finding[]> {
  const { scope, service } = question
  const configured = service === undefined ? question.configured : withoutBrowser(question.configured)
  const { entry, redirectUri } = configured
  const server = entry && fixedServer(entry, redirectUri, keyOf(configured))
  if (server === undefined) return checkLookedUp({ ...question, configured }, http)
  const note =
    service === undefined
      ? 'authorization_endpoint and token_endpoint are set, so its metadata is not read: whether it supports PKCE is unknown. The gateway sends S256'
      : 'token_endpoint is set, so its metadata is not read'
  return [
    ok(scope, note),
    ...(await checkUse(question, { server, scopes: parseScope(question.wanted) }, http)),
  ]
}

/** As the gateway looks it up: each upstream is asked who signs people in for it, also where an issuer is written. */
async function checkLookedUp(question: ServerQuestion, http: ControlHttp): Promise<Finding[]> {
  const asked = await Promise.all(
    Array.from(question.upstreams, ([route, url]) => askUpstream(question, route, url, http)),
  )
  const problems = asked.flatMap(({ problem }) => problem ?? [])
  const resource = asked.find((answer) => answer.resource !== undefined)?.resource
  const { issuer } = question.configured.entry ?? {}
  // Only the upstream could say where to go on.
  if (issuer === undefined && resource === undefined) return problems
  return [...problems, ...(await checkMetadata(question, resource, http))]
}

interface Answer {
  readonly resource?: ProtectedResource
  readonly problem?: Finding
}

async function askUpstream(
  question: ServerQuestion,
  route: string,
  url: URL,
  http: ControlHttp,
): Promise<Answer> {
  try {
    return { resource: await discoverResource(http, url) }
  } catch (error) {
    if (isToldAlready(error, url)) return {}
    return { problem: fail(route, whyNot(error), hintFor(error, situationOf(question))) }
  }
}

async function checkMetadata(
  question: ServerQuestion,
  resource: ProtectedResource | undefined,
  http: ControlHttp,
): Promise<Finding[]> {
  const { scope, configured } = question
  const input = inputOf(question)
  try {
    const metadata = await metadataOf(question, input, resource, http)
    const found = published(question, metadata)
    if (configured.entry?.client_id === undefined)
      return metadata.isAssumed ? found : [...found, introduction(question, input, metadata)]
    const unsaid = { resource: input.upstream.href, issuer: metadata.issuer, scope: undefined }
    const facts = { resource: resource ?? unsaid, metadata, registration: undefined }
    return [...found, ...(await checkUse(question, destinationOf(input, facts), http))]
  } catch (error) {
    const named = resource?.isAssumed ? undefined : resource?.issuer
    return [fail(scope, whyNot(error), hintFor(error, situationOf(question, named)))]
  }
}

async function metadataOf(
  { service }: ServerQuestion,
  input: DiscoveryInput,
  resource: ProtectedResource | undefined,
  http: ControlHttp,
): Promise<ServerMetadata> {
  const use = service === undefined ? 'sign_in' : 'service'
  const { issuer = resource?.issuer, ownClient } = input
  if (issuer === undefined) throw new Error('an authorization server that nobody names')
  checkNotOwn({ issuer }, ownClient.documentUrl)
  const metadata =
    input.issuer === undefined && resource !== undefined
      ? await discoverServerOf(http, resource, derivedTrust(input, issuer), use)
      : await discoverServer(http, issuer, 'configured', use)
  checkNotOwn(metadata, ownClient.documentUrl)
  return metadata
}

function inputOf({ configured, upstreams, clientName, wanted, service }: ServerQuestion): DiscoveryInput {
  const [upstream] = upstreams.values()
  if (upstream === undefined) throw new Error('an authorization server that no route uses')
  return discoveryInput({
    auth: wanted === undefined ? {} : { scope: wanted },
    configured,
    upstream,
    clientName,
    grantTypes: service === undefined ? SIGN_IN_GRANTS : [SERVICE_GRANTS[service]],
    key: keyOf(configured),
  })
}

/** The gateway's own key lies in its store, which is not opened here. */
function keyOf({ entry }: ConfiguredServer): ClientKey | undefined {
  return entry?.private_key === undefined ? undefined : writtenKey(entry.private_key, entry.private_key_id)
}

function situationOf({ place, configured, service }: ServerQuestion, named?: string): Situation {
  return {
    place,
    endpoints:
      service === undefined
        ? 'authorization_endpoint, token_endpoint and client_id'
        : 'token_endpoint and client_id',
    issuer: configured.entry?.issuer,
    named,
  }
}

function published(question: ServerQuestion, { issuer, isAssumed, grantTypes }: ServerMetadata): Finding[] {
  const { scope, service } = question
  if (isAssumed) {
    const { place, endpoints } = situationOf(question)
    return [
      warn(
        scope,
        `${issuer} publishes no metadata; if it is of MCP 2025-03-26, its endpoints are /authorize, /token and /register`,
        `If it is not, write issuer, or ${endpoints}, under ${place}.`,
      ),
    ]
  }
  if (service === undefined)
    return [ok(scope, `${issuer} is the authorization server, and supports PKCE with S256`)]
  const found = ok(scope, `${issuer} is the authorization server`)
  const grant = SERVICE_GRANTS[service]
  if (grantTypes === undefined || grantTypes.includes(grant)) return [found]
  const advice = 'Some servers do not list all that they support: ask whoever runs it.'
  return [found, warn(scope, `its metadata does not list the grant ${grant}`, advice)]
}

function introduction(
  { scope, place, service }: ServerQuestion,
  { ownClient, redirectUri }: DiscoveryInput,
  metadata: ServerMetadata,
): Finding {
  const found = introductionTo(ownClient, metadata)
  if (found?.way === 'cimd')
    return ok(scope, `it takes client ID metadata documents: the gateway's client_id is ${found.clientId}`)
  if (found?.way === 'dynamic')
    return ok(scope, `it takes registrations: the gateway registers itself at the first ${firstUse(service)}`)
  return fail(
    scope,
    'it takes no registrations, and no client_id is configured',
    `Create a client there ${service ? `for the grant ${SERVICE_GRANTS[service]}` : `with the redirect URI ${redirectUri}`}, and write its client_id under ${place}.`,
  )
}

const firstUse = (service: ServiceGrant | undefined) => (service === undefined ? 'sign-in' : 'use')

async function checkUse({ scope, service }: ServerQuestion, use: Use, http: ControlHttp): Promise<Finding[]> {
  return service === undefined
    ? checkSignIn(scope, use, http)
    : [await checkServiceClient(scope, service, use.server, http)]
}

/** That the upstream itself is silent, its own check says. */
function isToldAlready(error: unknown, upstream: URL): boolean {
  return error instanceof UpstreamError && SILENT.includes(error.fault) && error.detail.host === upstream.host
}

const SILENT: readonly string[] = ['unreachable', 'timeout']
