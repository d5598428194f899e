// A route's request chain as people read it: which steps, in which order, and which line of the configuration each
// comes from. Pure. What the steps do is in endpoints/mcp.ts; this names them for `explain`, logs and traces.
import { hasServer, type ServerAuth } from './config/auth-traits.ts'
import type {
  AccessConfig,
  AccessRules,
  AuthConfig,
  AuthorizationServerConfig,
  RouteConfig,
} from './config/types.ts'
import { durationText, sizeText } from './config/units.ts'

export interface Step {
  readonly name: 'authenticate' | 'authorize' | 'attach' | 'identify' | 'forward'
  readonly detail: string
  /** Where the configuration decides it, as a JSON pointer in the names of the file. */
  readonly pointer: string
}

/** The authorization servers that routes may refer to, by name. */
export type NamedServers = Readonly<Record<string, AuthorizationServerConfig>>

export function requestChain(
  name: string,
  route: RouteConfig,
  resource: string,
  servers: NamedServers,
): readonly Step[] {
  const at = `/routes/${name}`
  return [
    authenticateStep(at, route, resource),
    { name: 'authorize', detail: describeAccess(route.access), pointer: `${at}/access` },
    { name: 'attach', detail: describeAuth(route.auth, servers), pointer: `${at}/auth` },
    ...identityStep(route.identity, `${at}/identity`),
    { name: 'forward', detail: describeForward(route), pointer: `${at}/upstream` },
  ]
}

function authenticateStep(
  at: string,
  { token_issuer: issuer, scopes: { required } }: RouteConfig,
  resource: string,
): Step {
  const scopes = [...new Set([...(issuer?.scopes ?? []), ...required])]
  const carried = scopes.length === 0 ? '' : `, and with the scope ${scopes.join(' ')}, else 403`
  const otherwise = `else 401 with resource_metadata${carried}`
  if (issuer === undefined) {
    const detail = `a bearer token of this gateway for ${resource}, ${otherwise}`
    return { name: 'authenticate', detail, pointer: '/tokens' }
  }
  const detail = `an access token (JWT) of ${issuer.name} for ${issuer.audience ?? resource}, ${otherwise}`
  return { name: 'authenticate', detail, pointer: `${at}/token_issuer` }
}

/** What each list is called in a sentence, in the order of the file. */
const LISTS = {
  users: 'user',
  groups: 'group',
  email_domains: 'whoever has an address at',
  claims: 'whoever has',
  clients: 'client',
} as const satisfies { readonly [L in keyof Omit<AccessRules, 'deny'>]-?: string }

function describeAccess(access: AccessConfig): string {
  if (access === 'anyone') return 'anyone who signed in'
  const admitted = named(access)
  const denied = named(access.deny ?? {})
  const who = admitted.length === 0 ? 'anyone' : admitted.join(' or ')
  return denied.length === 0 ? who : `${who}, but not ${denied.join(' or ')}`
}

function named(lists: Omit<AccessRules, 'deny'>): readonly string[] {
  return Object.entries(LISTS).flatMap(([list, label]) => {
    const names = namesOf(lists[list as keyof typeof LISTS] ?? [])
    return names.length === 0 ? [] : [`${label} ${names.join(', ')}`]
  })
}

function namesOf(listed: readonly string[] | NonNullable<AccessRules['claims']>): readonly string[] {
  if (Array.isArray(listed)) return listed
  return Object.entries(listed).map(([claim, values]) => `${claim}: ${[values].flat().join(' or ')}`)
}

function identityStep(identity: RouteConfig['identity'], pointer: string): readonly Step[] {
  if (identity === undefined) return []
  const headers = Object.entries(identity.headers ?? {}).map(([name, claim]) => `${claim} in ${name}`)
  const signed = identity.assertion ? [`a JWT that the gateway signs in ${identity.assertion.header}`] : []
  return [{ name: 'identify', detail: [...headers, ...signed].join(', '), pointer }]
}

/** One line per auth type; the compiler points at a missing one. */
const AUTH: { readonly [T in AuthConfig['type']]: (auth: Extract<AuthConfig, { type: T }>) => string } = {
  none: () => 'nothing: the upstream asks for none',
  api_key: ({ in: place, name }) => `the shared key, in the ${place} ${name}`,
  authorization_code: (auth) =>
    `the person's own token from ${serverName(auth.authorization_server)}, refreshed before it ends`,
  client_credentials: (auth) =>
    `one token for everyone from ${serverName(auth.authorization_server)}, renewed before it ends`,
  token_exchange: (auth) => {
    const { identity_provider: provider, authorization_server: server } = auth
    const by = provider === undefined ? '' : ` by an ID-JAG of ${serverName(provider)}`
    return `a token from ${serverName(server)}${by}, in exchange for ${subjectTokenOf(auth)}`
  },
  user_api_key: ({ in: place, name }) => `the person's own key, in the ${place} ${name}`,
}

function subjectTokenOf({ subject_token: from }: Extract<AuthConfig, { type: 'token_exchange' }>): string {
  if (from === 'gateway') return 'one that the gateway signs about the caller'
  return from === 'caller' ? 'the one that the client came with' : 'the one that is configured'
}

function describeAuth(auth: AuthConfig, servers: NamedServers): string {
  const describe = AUTH[auth.type] as (auth: AuthConfig) => string
  const client = hasServer(auth) ? `; ${describeClient(auth.authorization_server, servers)}` : ''
  return `${auth.type}: ${describe(auth)}${client}`
}

type ServerReference = ServerAuth['authorization_server']

const WAYS = {
  cimd: 'its metadata document where that is taken',
  dynamic: 'a client that it registers there',
} as const

function describeClient(reference: ServerReference, servers: NamedServers): string {
  const named =
    typeof reference === 'string' && Object.hasOwn(servers, reference) ? servers[reference] : undefined
  const server = typeof reference === 'object' ? reference : named
  if (server?.client_id !== undefined)
    return `it identifies itself as ${server.client_id}, by ${credentialOf(server)}`
  const ways = server?.registration ?? (['cimd', 'dynamic'] as const)
  const hosted = server?.client_id_metadata_url
  const tried = ways.map((way) =>
    way === 'cimd' && hosted !== undefined ? `${hosted} where that is taken` : WAYS[way],
  )
  return `it identifies itself as ${tried.join(', else as ')}`
}

function credentialOf(server: AuthorizationServerConfig): string {
  const { token_endpoint_auth_method: method, private_key: key, client_secret: secret } = server
  const written = method ?? (key ? 'private_key_jwt' : secret ? 'its client secret' : 'none')
  if (written === 'none') return 'its name alone'
  if (written !== 'private_key_jwt') return written
  return `private_key_jwt with ${key ? 'private_key' : 'its own key'}`
}

function serverName(server: ServerReference): string {
  if (server === undefined) return 'the authorization server that the upstream names'
  if (typeof server === 'string') return server
  const url = server.issuer ?? server.authorization_endpoint ?? server.token_endpoint
  if (url === undefined) return 'the authorization server that the upstream names'
  // Without an environment it may still be `${NAME}`.
  return server.issuer ?? URL.parse(url)?.origin ?? url
}

function describeForward({ upstream, limits, timeouts }: RouteConfig): string {
  // Without an environment a value may still be `${NAME}`.
  const duration = (ms: number) => (typeof ms === 'number' ? durationText(ms) : String(ms))
  const { max_body_bytes: bytes } = limits
  const size = typeof bytes === 'number' ? sizeText(bytes) : String(bytes)
  return `${upstream.url}, connect within ${duration(timeouts.connect_ms)}, answer within ${duration(timeouts.response_ms)}, bodies up to ${size}`
}
