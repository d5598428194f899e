// The shape of a semantic rule, and the small questions that many of them ask.
import { type ServerSetting, serverId } from '../../auth/servers.ts'
import { isLoopbackHost } from '../../loopback.ts'
import { childPointer } from '../pointer.ts'
import type { Finding, Severity } from '../problem.ts'
import type { AuthorizationServerConfig, Config, RouteConfig } from '../types.ts'

/** What a rule may look at. Pointers speak of the file: YAML names, no units. */
export interface Facts {
  readonly config: Config
  /** Absent when the file is checked without its environment. */
  readonly env: Readonly<Record<string, string | undefined>> | undefined
  /** Whether the value is what will be used: not a `${…}` left alone, not a default in place of something refused. */
  known(pointer: string): boolean
  /** Names in a map of the file, those of refused entries included. */
  names(pointer: string): readonly string[]
  /** `gateways.yaml:7` for a message about two places. */
  place(pointer: string): string
}

export interface Rule {
  readonly id: string
  readonly severity: Severity
  /** Sections that must be whole, lest a refused part looks like an absent one. */
  readonly needs?: readonly string[]
  check(facts: Facts): Iterable<Violation>
}

export type Violation = Pick<Finding, 'pointer' | 'at' | 'message' | 'hint' | 'fix'>

export interface NamedRoute {
  readonly name: string
  readonly pointer: string
  readonly route: RouteConfig
}

export function routesOf({ config }: Facts): NamedRoute[] {
  return Object.entries(config.routes).map(([name, route]) => ({
    name,
    pointer: childPointer('/routes', name),
    route,
  }))
}

/** With an account, or a key, of each person at the upstream: nobody without a person gets anything there. */
export function needsPerson({ auth: { type } }: RouteConfig): boolean {
  return type === 'authorization_code' || type === 'user_api_key'
}

/** Where a route names, spells out or leaves out an authorization server. */
export interface ServerReference {
  readonly name: string
  /** Of the property. */
  readonly pointer: string
  readonly setting: ServerSetting
  readonly reference: string | AuthorizationServerConfig | undefined
  /** Browsers are sent there. */
  readonly signsPeopleIn: boolean
}

export function serverReferences(facts: Facts): ServerReference[] {
  return routesOf(facts).flatMap(({ name, pointer, route: { auth } }) => {
    if (auth.type === 'none' || auth.type === 'api_key' || auth.type === 'user_api_key') return []
    const own = {
      name,
      pointer: `${pointer}/auth/authorization_server`,
      setting: 'authorization_server',
      reference: auth.authorization_server,
      signsPeopleIn: auth.type === 'authorization_code',
    } as const
    if (auth.type !== 'token_exchange' || auth.identity_provider === undefined) return [own]
    const provider = {
      name,
      pointer: `${pointer}/auth/identity_provider`,
      setting: 'identity_provider',
      reference: auth.identity_provider,
      signsPeopleIn: false,
    } as const
    return [own, provider]
  })
}

/** An upstream authorization server with the id that its callback and client document go by. */
export interface PlacedServer {
  readonly id: string
  readonly pointer: string
  readonly server: AuthorizationServerConfig
  /** It needs an authorization endpoint and has a callback; not so where only tokens are fetched. */
  readonly signsPeopleIn: boolean
}

export function serversOf(facts: Facts): PlacedServer[] {
  const references = serverReferences(facts)
  const named = Object.entries(facts.config.authorization_servers).map(([id, server]) => {
    const users = references.filter(({ reference }) => reference === id)
    return {
      id,
      pointer: childPointer('/authorization_servers', id),
      server,
      signsPeopleIn: users.length === 0 || users.some(({ signsPeopleIn }) => signsPeopleIn),
    }
  })
  const inline = references.flatMap(({ name, pointer, setting, reference: server, signsPeopleIn }) =>
    typeof server === 'object'
      ? [{ id: serverId(name, server, setting), pointer, server, signsPeopleIn }]
      : [],
  )
  return [...named, ...inline]
}

/** Whether all that is in the value is written out. */
export function allKnown(facts: Facts, pointer: string, value: unknown): boolean {
  if (!facts.known(pointer)) return false
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, inner]) => allKnown(facts, childPointer(pointer, key), inner))
}

/** A URL whose bytes others on the network can read. */
export function isPlainHttp(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && !isLoopbackHost(hostname)
}
