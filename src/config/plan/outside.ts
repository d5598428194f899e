// What has to be done outside the gateway for an edit to work, and what it takes away for good. Pure.
import type { Config } from '../types.ts'
import type { Difference } from './differences.ts'
import type { Side } from './side.ts'
import type { Todo } from './types.ts'
import { publicUrl, type UpstreamSignIn, upstreamSignIn } from './upstream-identity.ts'

export function thingsToDo(before: Side | undefined, after: Side, all: readonly Difference[]): Todo[] {
  return distinct([
    ...newVariables(before, after),
    ...redirectUris(before?.config, after.config),
    ...newScopes(before?.config, after.config),
    ...newUrls(before?.config, after.config),
    ...removedUsers(before?.config, after.config),
    ...restarts(all, before === undefined),
  ])
}

function newVariables(before: Side | undefined, after: Side): Todo[] {
  const had = new Set(before?.variables.map(({ kind, name }) => `${kind} ${name}`))
  return after.variables
    .filter(({ kind, name, required }) => required && !had.has(`${kind} ${name}`))
    .map(({ kind, name }) =>
      kind === 'file'
        ? { kind: 'file', subject: name, message: `put the secret into the file ${name}` }
        : {
            kind: 'variable',
            subject: name,
            // A running process sees the environment that it was started with.
            message: `set ${name}; a gateway that runs sees it after a restart`,
          },
    )
}

function redirectUris(before: Config | undefined, after: Config): Todo[] {
  const had = new Set(signIns(before).map(redirectKey))
  return signIns(after)
    .filter((signIn) => signIn.byHand && !had.has(redirectKey(signIn)))
    .map(({ redirectUri, server }) => ({
      kind: 'redirect_uri',
      subject: redirectUri,
      message: `register the redirect URI ${redirectUri} at ${server}`,
    }))
}

/** Another client at the same server needs the URI registered anew. */
const redirectKey = ({ redirectUri, server, client }: UpstreamSignIn) => `${server} ${client} ${redirectUri}`

function newScopes(before: Config | undefined, after: Config): Todo[] {
  const had = new Set(
    signIns(before).flatMap(({ server, scopes }) => scopes.map((scope) => `${server} ${scope}`)),
  )
  return signIns(after).flatMap(({ server, scopes, byHand }) => {
    const fresh = scopes.filter((scope) => !had.has(`${server} ${scope}`))
    if (!byHand || fresh.length === 0) return []
    const message = `the gateway's client at ${server} must be allowed to ask for: ${fresh.join(' ')}; people get it when they sign in next`
    return [{ kind: 'scope', subject: fresh.join(' '), message } satisfies Todo]
  })
}

function newUrls(before: Config | undefined, after: Config): Todo[] {
  if (before === undefined) return []
  return Object.entries(after.routes).flatMap(([name, { path }]) => {
    const old = Object.hasOwn(before.routes, name) ? before.routes[name] : undefined
    const [from, to] = [publicUrl(before) + (old?.path ?? ''), publicUrl(after) + path]
    if (old === undefined || from === to) return []
    return [
      {
        kind: 'client_url',
        subject: to,
        message: `tell the users of ${name} its new URL: ${to}`,
      } satisfies Todo,
    ]
  })
}

function removedUsers(before: Config | undefined, after: Config): Todo[] {
  const left = Object.keys(before?.login.users ?? {}).filter(
    (name) => !Object.hasOwn(after.login.users ?? {}, name),
  )
  return left.map((name) => ({
    kind: 'removed_user',
    subject: name,
    message: `${name} loses all grants and connected accounts for good, also if the name comes back`,
  }))
}

function restarts(all: readonly Difference[], isNew: boolean): Todo[] {
  const settings = all.filter(({ reload }) => reload === 'restart').map(({ path }) => path)
  if (isNew || settings.length === 0) return []
  return [
    { kind: 'restart', subject: settings.join(' '), message: `restart the gateway: ${settings.join(', ')}` },
  ]
}

function signIns(config: Config | undefined): UpstreamSignIn[] {
  if (config === undefined) return []
  return Object.keys(config.routes).flatMap((route) => upstreamSignIn(config, route) ?? [])
}

function distinct(all: readonly Todo[]): Todo[] {
  return [...new Map(all.map((todo) => [todo.message, todo])).values()]
}
