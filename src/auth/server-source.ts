// Where a route's upstream authorization server comes from: fixed in the configuration, or discovered and registered
// at, remembered in the store, and looked up anew at every sign-in, which is how a move of the server is noticed.

import { parseScope, union } from '../oauth/scope.ts'
import { hashToken } from '../oauth/tokens.ts'
import { withLock } from '../store/lock.ts'
import { FORMAT } from '../store/records.ts'
import {
  discoverResource,
  discoverServer,
  type ProtectedResource,
  type ServerMetadata,
} from '../upstream/discovery.ts'
import type { Trust } from '../upstream/http.ts'
import { chooseAuthMethod, registerClient, type UpstreamRegistration } from '../upstream/register.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import type { AuthDeps } from './context.ts'

/** Everything a sign-in at the upstream needs to know. */
export interface Destination {
  readonly server: UpstreamServer
  /** RFC 8707 `resource`; undefined: none is sent. */
  readonly resource: string | undefined
  readonly scopes: readonly string[]
}

export interface ServerSource {
  readonly callbackPath: string
  /** What is known without asking anyone; undefined before the first discovery. */
  known(): Promise<Destination | undefined>
  /** Asks the upstream. Throws UpstreamError. */
  renew(): Promise<Destination>
  /** What is known does not work: looks in the background whether the server has moved. */
  doubt(): void
}

export function fixedSource(destination: Destination): ServerSource {
  return {
    callbackPath: new URL(destination.server.redirectUri).pathname,
    known: async () => destination,
    renew: async () => destination,
    doubt: () => {},
  }
}

/** What the configuration says; everything undefined here is discovered. */
export interface DiscoveryInput {
  readonly upstream: URL
  readonly issuer: string | undefined
  readonly client:
    | {
        readonly id: string
        readonly secret: string | undefined
        readonly authMethod: UpstreamServer['authMethod'] | undefined
      }
    | undefined
  readonly scope: string | undefined
  /** Undefined: as discovered; null: none is sent. */
  readonly resource: string | null | undefined
  readonly authorizationParameters: Readonly<Record<string, string>>
  readonly redirectUri: string
  readonly clientName: string
}

/** What an upstream said. The configuration's own words are laid over it when it is read, so an edit of them takes effect at once. */
interface Facts {
  readonly resource: ProtectedResource
  readonly metadata: ServerMetadata
  /** Undefined when the client is configured. */
  readonly registration: UpstreamRegistration | undefined
}

interface Remembered {
  readonly v: typeof FORMAT
  readonly sealed: string
}

const PURPOSE = 'upstream-server'
const LOCK_TTL_MS = 60_000
/** Requests that fail together are one doubt, and a server in trouble is not asked again and again. */
const DOUBT_EVERY_MS = 30_000

export function discoveredSource(input: DiscoveryInput, deps: AuthDeps): ServerSource {
  const { store, sealer, now, log } = deps
  const { upstream, issuer, client, redirectUri } = input
  const key = `discovered/${hashToken(JSON.stringify([upstream.href, issuer, client?.id, redirectUri]))}`
  let cached: { readonly version: number; readonly destination: Destination } | undefined
  let underway: Promise<Destination> | undefined
  let doubtedAtMs = Number.NEGATIVE_INFINITY

  async function known(): Promise<Destination | undefined> {
    const entry = await store.get<Remembered>(key)
    if (entry === undefined) return undefined
    if (cached?.version === entry.version) return cached.destination
    const text = sealer.open(PURPOSE, key, entry.value.sealed)
    if (text === undefined) return undefined
    cached = { version: entry.version, destination: destinationOf(input, JSON.parse(text) as Facts) }
    return cached.destination
  }

  async function discover(): Promise<Destination> {
    const facts = await learn(input, deps)
    const destination = destinationOf(input, facts)
    if (JSON.stringify(destination) !== JSON.stringify(await known())) {
      await store.put(key, { v: FORMAT, sealed: sealer.seal(PURPOSE, key, JSON.stringify(facts)) })
      log.info('upstream authorization server found', {
        issuer: facts.metadata.issuer,
        upstream: upstream.host,
      })
    }
    return destination
  }

  function renew(): Promise<Destination> {
    underway ??= discover().finally(() => {
      underway = undefined
    })
    return underway
  }

  return {
    callbackPath: new URL(redirectUri).pathname,
    known,
    renew,
    doubt() {
      if (now() - doubtedAtMs < DOUBT_EVERY_MS) return
      doubtedAtMs = now()
      // Most often it is down and has not moved: then nothing is learnt, and nothing changes.
      renew().catch((error: unknown) =>
        log.debug('nothing new of an upstream in trouble', { reason: String(error) }),
      )
    },
  }
}

async function learn(input: DiscoveryInput, deps: AuthDeps): Promise<Facts> {
  const resource = await discoverResource(deps.http, input.upstream)
  const issuer = input.issuer ?? resource.issuer
  const metadata = await discoverServer(
    deps.http,
    issuer,
    input.issuer === undefined ? derivedTrust(input, issuer) : 'configured',
  )
  const registration =
    input.client === undefined ? await registrationAt(metadata, input, resource, deps) : undefined
  return { resource, metadata, registration }
}

/** Keyed by issuer: a registration is never shown to another server (spec-U4). Locked: two processes must not both register. */
async function registrationAt(
  metadata: ServerMetadata,
  input: DiscoveryInput,
  resource: ProtectedResource,
  deps: AuthDeps,
): Promise<UpstreamRegistration> {
  const { store, sealer, http, now, log } = deps
  const { clientName, redirectUri } = input
  const key = `registered/${hashToken(JSON.stringify([metadata.issuer, redirectUri]))}`
  return withLock(store, key, { ttlMs: LOCK_TTL_MS, now }, async () => {
    const entry = await store.get<Remembered>(key)
    const opened = entry && sealer.open(PURPOSE, key, entry.value.sealed)
    if (opened !== undefined) return JSON.parse(opened) as UpstreamRegistration
    const scope = scopesToAsk(input, resource, metadata).join(' ') || undefined
    const registered = await registerClient(http, metadata, derivedTrust(input, metadata.issuer), {
      clientName,
      redirectUri,
      scope,
    })
    await store.put(key, { v: FORMAT, sealed: sealer.seal(PURPOSE, key, JSON.stringify(registered)) })
    log.info('registered at the upstream', { issuer: metadata.issuer })
    return registered
  })
}

/** What follows from a configured URL may be public, or private on that URL's own host (design §8). */
function derivedTrust({ upstream, issuer: configured }: DiscoveryInput, issuer: string): Trust {
  return { derivedFrom: configured === undefined ? upstream.hostname : new URL(issuer).hostname }
}

/** The configuration's, else what the server asks for, never its whole list; `offline_access` only where it is offered, since without it some give no refresh token (spec-U6). */
function scopesToAsk(
  { scope }: DiscoveryInput,
  resource: ProtectedResource,
  { scopesSupported }: ServerMetadata,
): readonly string[] {
  const scopes = parseScope(scope ?? resource.scope)
  return scopes.length > 0 && scopesSupported.includes('offline_access')
    ? union(scopes, ['offline_access'])
    : scopes
}

function destinationOf(input: DiscoveryInput, { resource, metadata, registration }: Facts): Destination {
  const { client } = input
  const identity = client === undefined ? registration : configuredIdentity(client, metadata)
  if (identity === undefined) throw new Error('a discovered server without a registration')
  return {
    server: {
      issuer: metadata.issuer,
      issParameterSupported: metadata.issParameterSupported,
      authorizationEndpoint: metadata.authorizationEndpoint,
      tokenEndpoint: metadata.tokenEndpoint,
      trust: derivedTrust(input, metadata.issuer),
      ...identity,
      authorizationParameters: input.authorizationParameters,
      redirectUri: input.redirectUri,
    },
    resource: input.resource === null ? undefined : (input.resource ?? resource.resource),
    scopes: scopesToAsk(input, resource, metadata),
  }
}

function configuredIdentity(
  { id, secret, authMethod }: NonNullable<DiscoveryInput['client']>,
  metadata: ServerMetadata,
): UpstreamRegistration {
  return {
    clientId: id,
    clientSecret: secret,
    authMethod: authMethod ?? chooseAuthMethod(metadata.authMethods, secret !== undefined),
  }
}
