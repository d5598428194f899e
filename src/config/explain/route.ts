// A route as people read it: the steps of its chain, and for each the settings it follows, with where they come from.
// Pure, and offline: `${NAME}` stays as it is written.
import { requestChain } from '../../chain.ts'
import { JWT_BEARER } from '../../oauth/grant-types.ts'
import { needsPerson, serversUsed } from '../auth-traits.ts'
import { harmless } from '../plan/show.ts'
import type { Side } from '../plan/side.ts'
import { publicUrl } from '../plan/upstream-identity.ts'
import { childPointer, dottedPath, isWithin } from '../pointer.ts'
import type { RouteConfig } from '../types.ts'

/** `built in`: nothing in a file decides it. */
export type Origin = ReturnType<Side['origin']>

export interface Setting {
  readonly path: string
  readonly value: string
  readonly origin: Origin
  readonly line?: number
}

export interface ExplainedStep {
  readonly name: string
  readonly detail: string
  readonly origin: Origin | 'built in'
  readonly line?: number
  readonly settings: readonly Setting[]
}

export interface ExplainedRoute {
  readonly route: string
  readonly path: string
  readonly url: string
  readonly line?: number
  readonly steps: readonly ExplainedStep[]
}

export function explainRoute(side: Side, name: string): ExplainedRoute | undefined {
  const route = Object.hasOwn(side.config.routes, name) ? side.config.routes[name] : undefined
  if (route === undefined) return undefined
  const url = publicUrl(side.config) + route.path
  const base = `/routes/${name}`
  const steps = requestChain(name, route, url, side.config.authorization_servers).map(
    (step): ExplainedStep => {
      const settings = pointersOf(step.pointer, side, { base, route }).flatMap((pointer) =>
        settingsIn(side, pointer),
      )
      const origin = step.pointer === '/tokens' ? 'built in' : side.origin(step.pointer)
      return {
        name: step.name,
        detail: harmless(step.detail),
        origin,
        ...lineOf(side, step.pointer),
        settings,
      }
    },
  )
  return { route: name, path: route.path, url, ...lineOf(side, base), steps }
}

interface Explained {
  readonly base: string
  readonly route: RouteConfig
}

/** What a step reads besides the place that it is named after. */
function pointersOf(pointer: string, side: Side, { base, route }: Explained): string[] {
  if (pointer === '/tokens') return [pointer, ...withoutSignIn(side, route)]
  if (pointer === `${base}/upstream`) return [pointer, `${base}/timeouts`, `${base}/limits`]
  const issuer = side.leaves.get(`${base}/token_issuer/name`)
  if (pointer === `${base}/token_issuer` && issuer !== undefined)
    return [pointer, childPointer('/trusted_issuers', issuer.shown)]
  if (pointer !== `${base}/auth`) return [pointer]
  const servers = serversUsed(route.auth).flatMap(
    ({ setting }) => side.leaves.get(`${base}/auth/${setting}`)?.shown ?? [],
  )
  return [pointer, ...servers.map((name) => `/authorization_servers/${name}`)]
}

/** Who may come by a token of this route although no person signs in. */
function withoutSignIn({ config }: Side, route: RouteConfig): string[] {
  const grants = needsPerson(route.auth) ? [JWT_BEARER] : ['client_credentials', JWT_BEARER]
  return Object.entries(config.clients.static)
    .filter(([, { grant_types: types }]) => types.some((type) => grants.includes(type)))
    .map(([id]) => `${childPointer('/clients/static', id)}/grant_types`)
}

function settingsIn(side: Side, pointer: string): Setting[] {
  return [...side.leaves]
    .filter(([at, { isDefault }]) => isWithin(at, pointer) && (!isDefault || !isEmpty(side, at)))
    .map(([at, { shown, written }]) => ({
      path: dottedPath(written),
      value: shown,
      origin: side.origin(at),
      ...lineOf(side, at),
    }))
}

const isEmpty = (side: Side, at: string) => ['[]', '{}'].includes(side.leaves.get(at)?.shown ?? '')

function lineOf(side: Side, pointer: string): { readonly line?: number } {
  const line = side.line(pointer)
  return line === undefined ? {} : { line }
}
