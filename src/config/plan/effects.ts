// What an edit does to each route's sessions: kept, reconnected, or asked to sign in again. Pure.
import { mayUse } from '../../policy/access.ts'
import { namedProfile, userProfile } from '../../policy/profile.ts'
import type { Profile } from '../../slots.ts'
import { serversUsed } from '../auth-traits.ts'
import { parsePointer } from '../pointer.ts'
import type { Config, RouteConfig } from '../types.ts'
import { type Difference, routeOf } from './differences.ts'
import type { Effect, ReloadClass, RouteEffect } from './types.ts'
import { mustSignInAgain, publicUrl, upstreamSignIn } from './upstream-identity.ts'

export interface Judge {
  /** The schema's class of an edit, made exact by what it does to the routes that it reaches. */
  reload(difference: Difference): ReloadClass
  effect(route: string): RouteEffect
}

export function createJudge(before: Config | undefined, after: Config, all: readonly Difference[]): Judge {
  const signsInAgain = new Map(
    Object.keys(after.routes).map((route) => [
      route,
      mustSignInAgain(before && upstreamSignIn(before, route), upstreamSignIn(after, route)),
    ]),
  )
  const moved = before !== undefined && publicUrl(before) !== publicUrl(after)

  function reload({ kind, pointer, reload: declared, written }: Difference): ReloadClass {
    if (declared !== 'reauthorize' && !isUpstream(pointer)) return declared
    // A thing that comes or goes whole is judged by where it is referred to.
    if (kind !== 'changed' && parsePointer(written).length <= 2) return declared
    const reached = routesReached(pointer, after)
    const again = reached.some((route) => (signsInAgain.get(route) ?? 'no') !== 'no')
    if (again) return 'reauthorize'
    return declared === 'reauthorize' ? 'live' : declared
  }

  function effectOf(route: string): Effect {
    const was = before && Object.hasOwn(before.routes, route)
    if (!Object.hasOwn(after.routes, route)) return 'removed'
    if (!was) return 'added'
    if (moved) return 'relogin'
    if (signsInAgain.get(route) !== 'no') return 'reauthorize'
    const issuer = after.routes[route]?.token_issuer
    const own = all.filter(({ pointer }) => routeOf(pointer) === route || isOfIssuer(pointer, issuer?.name))
    if (own.some((one) => reload(one) === 'relogin')) return 'relogin'
    return own.some((one) => reload(one) === 'reconnect') ? 'reconnect' : 'kept'
  }

  return {
    reload,
    effect(route) {
      const signIn = upstreamSignIn(Object.hasOwn(after.routes, route) ? after : (before ?? after), route)
      const effect = effectOf(route)
      return {
        route,
        effect,
        ...(effect === 'reauthorize' &&
          signsInAgain.get(route) === 'perhaps' && { isForUpstreamToSay: true }),
        ...(signIn && { server: signIn.server }),
        ...accessChanges(before, after, route),
      }
    },
  }
}

function isOfIssuer(pointer: string, issuer: string | undefined): boolean {
  const [section, name] = parsePointer(pointer)
  return section === 'trusted_issuers' && name === issuer
}

const isUpstream = (pointer: string) => pointer.endsWith('/upstream/url')

function routesReached(pointer: string, { routes }: Config): string[] {
  const [section, name = ''] = parsePointer(pointer)
  if (section === 'routes') return [name]
  if (section !== 'authorization_servers') return []
  return Object.entries(routes)
    .filter(([, { auth }]) => serversUsed(auth).some(({ reference }) => reference === name))
    .map(([route]) => route)
}

/** Of the people who are known on both sides; who is new or gone is told as such. */
function accessChanges(before: Config | undefined, after: Config, route: string) {
  const [was, is] = [before?.routes[route], after.routes[route]]
  const names = Object.keys(after.login.users ?? {}).filter((name) => userOf(before, name))
  const may = (config: Config | undefined, entry: RouteConfig, name: string) =>
    entry.token_issuer === undefined && mayUse(entry.access, profileIn(config, name))
  if (was === undefined || is === undefined) return { gains: [], loses: [] }
  return {
    gains: names.filter((name) => !may(before, was, name) && may(after, is, name)),
    loses: names.filter((name) => may(before, was, name) && !may(after, is, name)),
  }
}

function profileIn(config: Config | undefined, name: string): Profile {
  const user = userOf(config, name)
  return user === undefined ? namedProfile(name) : userProfile(name, user)
}

function userOf(config: Config | undefined, name: string) {
  const users = config?.login.users ?? {}
  return Object.hasOwn(users, name) ? users[name] : undefined
}
