// A route's request chain as people read it: which steps, in which order, and which line of the configuration each
// comes from. Pure. What the steps do is in endpoints/mcp.ts; this names them for `explain`, logs and traces.
import type { AccessConfig, AuthConfig, RouteConfig } from './config/types.ts'

export interface Step {
  readonly name: 'authenticate' | 'authorize' | 'attach' | 'forward'
  readonly detail: string
  /** Where the configuration decides it, as a JSON pointer in the names of the file. */
  readonly pointer: string
}

export function requestChain(name: string, route: RouteConfig, resource: string): readonly Step[] {
  const at = `/routes/${name}`
  return [
    {
      name: 'authenticate',
      detail: `a bearer token of this gateway for ${resource}, else 401 with resource_metadata`,
      pointer: '/tokens',
    },
    { name: 'authorize', detail: describeAccess(route.access), pointer: `${at}/access` },
    { name: 'attach', detail: describeAuth(route.auth), pointer: `${at}/auth` },
    { name: 'forward', detail: describeForward(route), pointer: `${at}/upstream` },
  ]
}

function describeAccess(access: AccessConfig): string {
  if (access === 'anyone') return 'anyone who signed in'
  const named = (label: string, names: readonly string[] | undefined) =>
    names === undefined || names.length === 0 ? [] : [`${label} ${names.join(', ')}`]
  const admitted = [...named('user', access.users), ...named('group', access.groups)]
  const denied = [...named('user', access.deny?.users), ...named('group', access.deny?.groups)]
  const who = admitted.length === 0 ? 'anyone' : admitted.join(' or ')
  return denied.length === 0 ? who : `${who}, but not ${denied.join(' or ')}`
}

/** One line per auth type; the compiler points at a missing one. */
const AUTH: { readonly [T in AuthConfig['type']]: (auth: Extract<AuthConfig, { type: T }>) => string } = {
  none: () => 'nothing: the upstream asks for none',
  api_key: ({ in: place, name }) => `the shared key, in the ${place} ${name}`,
  authorization_code: (auth) =>
    `the person's own token from ${serverName(auth.authorization_server)}, refreshed before it ends`,
}

function describeAuth(auth: AuthConfig): string {
  const describe = AUTH[auth.type] as (auth: AuthConfig) => string
  return `${auth.type}: ${describe(auth)}`
}

function serverName(
  server: Extract<AuthConfig, { type: 'authorization_code' }>['authorization_server'],
): string {
  if (server === undefined) return 'the authorization server that the upstream names'
  if (typeof server === 'string') return server
  const url = server.issuer ?? server.authorization_endpoint ?? ''
  // Without an environment it may still be `${NAME}`.
  return server.issuer ?? URL.parse(url)?.origin ?? url
}

function describeForward({ upstream, limits, timeouts }: RouteConfig): string {
  const seconds = (ms: number) => (typeof ms === 'number' ? `${ms / 1000} s` : String(ms))
  return `${upstream.url}, connect within ${seconds(timeouts.connect_ms)}, answer within ${seconds(timeouts.response_ms)}, bodies up to ${limits.max_body_bytes} bytes`
}
