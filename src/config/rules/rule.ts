// The shape of a semantic rule, and the small questions that many of them ask.
import { serverId } from '../../auth/servers.ts'
import type { Environment } from '../../environment.ts'
import { isLoopbackHost } from '../../loopback.ts'
import { needsPerson, serversUsed, type UsedServer } from '../auth-traits.ts'
import { childPointer } from '../pointer.ts'
import type { Finding, Severity } from '../problem.ts'
import type { AuthorizationServerConfig, Config, RouteConfig } from '../types.ts'

/** What a rule may look at. Pointers speak of the file: YAML names, no units. */
export interface Facts {
  readonly config: Config
  /** Absent when the file is checked without its environment. */
  readonly env: Environment | undefined
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

/** Where a route names, spells out or leaves out an authorization server. */
export interface ServerReference extends UsedServer {
  readonly name: string
  /** Of the property. */
  readonly pointer: string
  /** Browsers are sent there. */
  readonly signsPeopleIn: boolean
}

export function serverReferences(facts: Facts): ServerReference[] {
  return routesOf(facts).flatMap(({ name, pointer, route: { auth } }) =>
    serversUsed(auth).map((used) => ({
      ...used,
      name,
      pointer: `${pointer}/auth/${used.setting}`,
      signsPeopleIn: needsPerson(auth) && used.setting === 'authorization_server',
    })),
  )
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
