// Rules about upstream authorization servers: references, callbacks, client authentication.

import { callbackPath, clientDocumentPath } from '../../auth/servers.ts'
import { isOwnAddress } from '../../oauth/own-address.ts'
import { childPointer } from '../pointer.ts'
import { loadPreset } from '../presets/preset.ts'
import { replaceBy } from '../scalar.ts'
import { didYouMean, onlyClosest } from '../suggest.ts'
import {
  allKnown,
  type Facts,
  isPlainHttp,
  type NamedRoute,
  type PlacedServer,
  type Rule,
  routesOf,
  serverReferences,
  serversOf,
} from './rule.ts'

const unknownServer: Rule = {
  id: 'reference/authorization-server',
  severity: 'error',
  *check(facts) {
    const names = facts.names('/authorization_servers')
    const known = new Set(names)
    for (const { pointer, reference: name } of serverReferences(facts)) {
      if (typeof name !== 'string' || known.has(name)) continue
      const hint = didYouMean(name, names) ?? 'Add it under authorization_servers.'
      const message = `there is no authorization server "${name}"`
      yield { pointer, message, hint, ...replaceBy(onlyClosest(name, names)) }
    }
  },
}

const unusedServer: Rule = {
  id: 'authorization-server/unused',
  severity: 'warning',
  needs: ['/routes'],
  *check(facts) {
    const used = new Set(serverReferences(facts).map(({ reference }) => reference))
    for (const name of Object.keys(facts.config.authorization_servers)) {
      if (used.has(name)) continue
      const hint = 'Refer to it in a route or remove it.'
      yield { pointer: `/authorization_servers/${name}`, at: 'key', message: 'no route uses it', hint }
    }
  },
}

/**
 * An answer at a callback must say by its path alone which server it claims to come from (RFC 9700 §4.4). And of two
 * servers that read one client ID metadata document, one is told how the gateway authenticates at the other.
 */
const addressClash: Rule = {
  id: 'authorization-server/callback',
  severity: 'error',
  *check(facts) {
    const owners = new Map<string, string>()
    for (const { pointer, addresses } of addressedServers(facts)) {
      const clash = addresses.find(({ path }) => owners.has(path))
      for (const { path } of addresses) owners.set(path, owners.get(path) ?? pointer)
      if (clash === undefined) continue
      const { what, path, writtenAt } = clash
      const message = `the ${what} ${path} is already taken (${facts.place(owners.get(path) ?? pointer)})`
      yield writtenAt === undefined
        ? { pointer, at: 'key', message, hint: 'Rename the route or the authorization server.' }
        : { pointer: writtenAt, message, hint: 'Only one can have it.' }
    }
  },
}

interface Address {
  readonly what: 'callback' | 'client ID metadata document'
  readonly path: string
  /** Absent: it follows from the server's name. */
  readonly writtenAt?: string
}

interface AddressedServer {
  readonly pointer: string
  readonly addresses: readonly Address[]
}

function addressedServers(facts: Facts): readonly AddressedServer[] {
  const written = serversOf(facts).map((placed) => ({
    pointer: placed.pointer,
    addresses: [
      ...(placed.signsPeopleIn ? [callbackOf(placed)] : []),
      ...(mayHaveDocument(placed, facts) ? [documentOf(placed.id)] : []),
    ],
  }))
  const discovered = serverReferences(facts)
    .filter(({ pointer, reference }) => reference === undefined && facts.known(pointer))
    .map(({ name, signsPeopleIn }) => ({
      pointer: childPointer('/routes', name),
      addresses: [
        ...(signsPeopleIn ? [{ what: 'callback', path: callbackPath(name) } as const] : []),
        documentOf(name),
      ],
    }))
  return [...written, ...discovered]
}

function callbackOf({ id, pointer, server: { callback } }: PlacedServer): Address {
  return callback === undefined
    ? { what: 'callback', path: callbackPath(id) }
    : { what: 'callback', path: callback, writtenAt: `${pointer}/callback` }
}

const documentOf = (id: string): Address => ({
  what: 'client ID metadata document',
  path: clientDocumentPath(id),
})

const INTRODUCTION = ['client_id', 'client_id_metadata_url', 'registration'] as const

function mayHaveDocument({ pointer, server }: PlacedServer, facts: Facts): boolean {
  return (
    INTRODUCTION.every((name) => facts.known(`${pointer}/${name}`)) &&
    server.client_id === undefined &&
    server.client_id_metadata_url === undefined &&
    server.registration.includes('cimd')
  )
}

const LOCATION = ['issuer', 'authorization_endpoint', 'token_endpoint']

/** Where only tokens are fetched, no browser is sent anywhere. */
const FOR_TOKENS = ['token_endpoint', 'client_id']
const FOR_PEOPLE = ['authorization_endpoint', ...FOR_TOKENS]

/**
 * Endpoints come as a pair and with a client; without them an issuer is needed to look them up at. Only where one route
 * spells the server out may its upstream be asked instead: a callback belongs to one server (RFC 9700 §4.4).
 */
const incomplete: Rule = {
  id: 'authorization-server/incomplete',
  severity: 'error',
  *check(facts) {
    const used = new Set(serverReferences(facts).map(({ reference }) => reference))
    for (const { id, pointer, signsPeopleIn, server } of serversOf(facts)) {
      // As written: what the schema refused is a mistake of its own, not an absence.
      const written = new Set(facts.names(pointer))
      const isInline = /^\/routes\//.test(pointer)
      const isLocated = LOCATION.some((name) => written.has(name))
      if (written.has('preset') && !isLocated && isLocatedBy(server.preset)) continue
      const needed = signsPeopleIn && (isInline || used.has(id)) ? FOR_PEOPLE : FOR_TOKENS
      const missing = needed.filter((name) => !written.has(name))
      const isLookedUp =
        written.has('issuer') && !written.has('authorization_endpoint') && !written.has('token_endpoint')
      const isAsked = !isLocated && /^\/routes\/.*\/authorization_server$/.test(pointer)
      if (missing.length > 0 && !isLookedUp && !isAsked) {
        yield { pointer, at: 'key', ...unreachable(isLocated, missing, needed) }
      } else if (written.has('client_secret') && (isAsked || !written.has('client_id'))) {
        yield { pointer: `${pointer}/client_secret`, ...strayedSecret(isAsked) }
      }
    }
  },
}

function unreachable(isLocated: boolean, missing: readonly string[], needed: readonly string[]) {
  if (isLocated) return { message: `it lacks ${list(missing)}`, hint: 'Add that, or write issuer alone.' }
  const hint = `Write issuer, or ${list(needed)}. For one route you can write the entry in the route itself: then its upstream is asked.`
  return { message: 'nothing says where this server is', hint }
}

const list = (names: readonly string[]) =>
  [names.slice(0, -1).join(', '), ...names.slice(-1)].filter((part) => part !== '').join(' and ')

/** Some presets only know habits, and leave the address to discovery. One that does not exist is a mistake of its own. */
function isLocatedBy(name: string | undefined): boolean {
  const preset = name === undefined ? undefined : loadPreset(name)
  return (
    preset === undefined || LOCATION.some((member) => preset.authorization_server?.[member] !== undefined)
  )
}

function strayedSecret(isAsked: boolean) {
  return isAsked
    ? { message: 'it would be sent to whatever server the upstream names', hint: 'Write issuer.' }
    : { message: 'a client_secret belongs to a client_id', hint: 'Add client_id.' }
}

/** What the gateway itself puts into the authorization request. */
const RESERVED_PARAMETERS = [
  'response_type',
  'client_id',
  'redirect_uri',
  'scope',
  'state',
  'code_challenge',
  'code_challenge_method',
  'resource',
  'nonce',
  'request',
  'request_uri',
  'response_mode',
]

const authorizationParameters: Rule = {
  id: 'authorization-server/parameter',
  severity: 'error',
  *check(facts) {
    for (const { pointer, server } of serversOf(facts)) {
      for (const map of ['authorization_parameters', 'relink_parameters'] as const) {
        for (const name of Object.keys(server[map])) {
          if (!RESERVED_PARAMETERS.includes(name)) continue
          const at = `${pointer}/${map}/${name}`
          yield { pointer: at, at: 'key', message: `${name} is set by the gateway`, hint: 'Remove it.' }
        }
      }
    }
  },
}

const issuerShape: Rule = {
  id: 'authorization-server/issuer',
  severity: 'error',
  *check(facts) {
    for (const { pointer, server } of serversOf(facts)) {
      const wrong =
        server.issuer !== undefined && facts.known(`${pointer}/issuer`) && issuerMistake(server.issuer)
      if (wrong) yield { pointer: `${pointer}/issuer`, ...wrong }
    }
  },
}

/** The same for every issuer, whichever side of the gateway it is on. */
export function issuerMistake(issuer: string) {
  if (issuer.includes('?'))
    return { message: 'an issuer has no query (RFC 8414 §2)', hint: 'Remove the ? and the rest.' }
  // Whoever sits on the way could name endpoints of their own.
  return isPlainHttp(issuer)
    ? { message: 'an issuer off loopback is https (RFC 8414 §2)', hint: 'Use https.' }
    : undefined
}

const ENDPOINTS = [
  'authorization_endpoint',
  'token_endpoint',
  'revocation_endpoint',
  'account_endpoint',
] as const

/** A link's tokens go nowhere that the link is not bound to (design §6.5), not even to be revoked. Looked-up servers are held to it when they are used. */
const revocationElsewhere: Rule = {
  id: 'authorization-server/revocation',
  severity: 'error',
  *check(facts) {
    for (const { pointer, server } of serversOf(facts)) {
      const at = `${pointer}/revocation_endpoint`
      const { revocation_endpoint: revocation, token_endpoint: token } = server
      if (revocation === undefined || token === undefined) continue
      if (!facts.known(at) || !facts.known(`${pointer}/token_endpoint`)) continue
      const { origin } = new URL(token)
      if (new URL(revocation).origin === origin) continue
      const message = 'tokens would be sent to another place than where they come from'
      yield { pointer: at, message, hint: `Use an address of ${origin}, as the token_endpoint does.` }
    }
  },
}

const HOME = ['issuer', 'authorization_endpoint', 'token_endpoint'] as const

/** A new token is sent there, and one typing mistake would give everybody's away. What a preset says is known to be right. */
const accountElsewhere: Rule = {
  id: 'authorization-server/account',
  severity: 'error',
  *check(facts) {
    for (const placed of serversOf(facts)) {
      const { pointer, server } = placed
      const at = `${pointer}/account_endpoint`
      if (server.account_endpoint === undefined || !facts.names(pointer).includes('account_endpoint'))
        continue
      const near = nearby(placed, facts)
      if (!facts.known(at) || near === undefined) continue
      const { host } = new URL(server.account_endpoint)
      if (near.has(host)) continue
      const message = `new tokens would be sent to ${host}, which is neither the authorization server nor an upstream`
      yield { pointer: at, message, hint: 'Correct the address, or add its host to endpoint_hosts.' }
    }
  },
}

/** The hosts that a server's tokens go to anyway, and what is written besides. Undefined: not all are known. */
function nearby({ pointer, server }: PlacedServer, facts: Facts): ReadonlySet<string> | undefined {
  const written = HOME.flatMap((name) => (server[name] === undefined ? [] : [`${pointer}/${name}`]))
  const routes = routesOf(facts).filter((route) => uses(route, pointer))
  const addresses = routes.map((route) => `${route.pointer}/upstream/url`)
  const known = [...written, ...addresses].every(facts.known)
  if (!known || !allKnown(facts, `${pointer}/endpoint_hosts`, server.endpoint_hosts)) return undefined
  const urls = [...HOME.map((name) => server[name]), ...routes.map(({ route }) => route.upstream.url)]
  const hosts = urls.flatMap((url) => (url === undefined ? [] : [new URL(url).host]))
  return new Set([...hosts, ...server.endpoint_hosts.map((host) => host.toLowerCase())])
}

function uses({ pointer, route: { auth } }: NamedRoute, server: string): boolean {
  const named = 'authorization_server' in auth ? auth.authorization_server : undefined
  return server.startsWith(`${pointer}/`) || server === childPointer('/authorization_servers', String(named))
}

/** It would get tokens of its own routes there, and send them to the upstream. */
const ownServer: Rule = {
  id: 'authorization-server/self',
  severity: 'error',
  *check(facts) {
    const { public_url: publicUrl } = facts.config.server
    if (publicUrl === undefined || !facts.known('/server/public_url')) return
    for (const { pointer, server } of serversOf(facts)) {
      for (const name of HOME) {
        const at = `${pointer}/${name}`
        const url = server[name]
        if (url === undefined || !facts.known(at) || !isOwnAddress(url, publicUrl)) continue
        yield { pointer: at, message: 'is this gateway itself', hint: "Write the upstream's own server." }
      }
    }
  },
}

const plainEndpoints: Rule = {
  id: 'authorization-server/plain-http',
  severity: 'warning',
  *check(facts) {
    for (const { pointer, server } of serversOf(facts)) {
      for (const name of ENDPOINTS) {
        const at = `${pointer}/${name}`
        const url = server[name]
        if (url === undefined || !facts.known(at) || !isPlainHttp(url)) continue
        yield { pointer: at, message: 'codes and tokens cross the network unencrypted', hint: 'Use https.' }
      }
    }
  },
}

export const authorizationServerRules = [
  unknownServer,
  unusedServer,
  addressClash,
  incomplete,
  authorizationParameters,
  issuerShape,
  revocationElsewhere,
  accountElsewhere,
  ownServer,
  plainEndpoints,
]
