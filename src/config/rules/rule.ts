// The shape of a semantic rule, and the small questions that many of them ask.
import { isLoopbackHost } from '../../loopback.ts'
import { childPointer } from '../pointer.ts'
import type { Finding, Severity } from '../problem.ts'
import type { AuthorizationCodeAuth, AuthorizationServerConfig, Config, RouteConfig } from '../types.ts'

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

/** An upstream authorization server with the id its callback goes by: its own name, or its route's when inline. */
export interface PlacedServer {
  readonly id: string
  readonly pointer: string
  readonly server: AuthorizationServerConfig
}

export function serversOf(facts: Facts): PlacedServer[] {
  const named = Object.entries(facts.config.authorization_servers).map(([id, server]) => ({
    id,
    pointer: childPointer('/authorization_servers', id),
    server,
  }))
  const inline = authorizationCodeRoutes(facts).flatMap(
    ({ name, pointer, auth: { authorization_server: server } }) =>
      typeof server === 'object' ? [{ id: name, pointer, server }] : [],
  )
  return [...named, ...inline]
}

export interface AuthorizationCodeRoute {
  readonly name: string
  /** Of the route's `authorization_server`. */
  readonly pointer: string
  readonly auth: AuthorizationCodeAuth
}

export function authorizationCodeRoutes(facts: Facts): AuthorizationCodeRoute[] {
  return routesOf(facts).flatMap(({ name, pointer, route: { auth } }) =>
    auth.type === 'authorization_code'
      ? [{ name, pointer: `${pointer}/auth/authorization_server`, auth }]
      : [],
  )
}

/** A URL whose bytes others on the network can read. */
export function isPlainHttp(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && !isLoopbackHost(hostname)
}
