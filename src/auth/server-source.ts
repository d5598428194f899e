// Where a route's upstream authorization server comes from: fixed in the configuration, or discovered and registered
// at, remembered in the store, and looked up anew at every sign-in, which is how a move of the server is noticed.

import { UpstreamError } from '../errors.ts'
import { hashToken } from '../oauth/tokens.ts'
import { createBucket } from '../policy/bucket.ts'
import type { UpstreamAuth } from '../slots.ts'
import { FORMAT, keys } from '../store/records.ts'
import { clientMetadata } from '../upstream/client-metadata.ts'
import { isForgotten } from '../upstream/known-client.ts'
import { judgeScopes } from '../upstream/refused-scopes.ts'
import { isClientId, type UpstreamRegistration } from '../upstream/register.ts'
import { isResting } from '../upstream/rest.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import type { AuthDeps } from './context.ts'
import {
  type Destination,
  type DiscoveryInput,
  destinationOf,
  type Facts,
  identityOf,
} from './destination.ts'
import { noteHostsUsed } from './endpoint-hosts.ts'
import { isOwnDocument } from './issuer-callback.ts'
import { signsIn } from './own-client.ts'
import { createRegistrations, type Registrations } from './registrations.ts'
import { type ClientNews, lookUp, type RegistrationsAt } from './server-lookup.ts'
import { NOTED_EVERY_MS } from './unused.ts'

export interface ServerSource {
  /** What is known without asking anyone; undefined before the first discovery. */
  known(): Promise<Destination | undefined>
  /** Asks the upstream. Throws UpstreamError. */
  renew(): Promise<Destination>
  /** What is known does not work: looks in the background whether the server has moved. */
  doubt(): void
  /** Tokens were given to this client there. */
  proved(destination: Destination): Promise<void>
  /** Where the gateway may ask for these scopes: as another client, if the server keeps this one to less. */
  allowing(destination: Destination, scopes: readonly string[]): Promise<Destination>
  /** The server says that it does not know this client. True: so it is, and the gateway is another client there now. */
  disowned(destination: Destination): Promise<boolean>
  /** The gateway's client ID metadata document, once it is what the gateway is known by. */
  readonly clientDocument?: ClientDocumentSource
}

export type ClientDocumentSource = NonNullable<UpstreamAuth['clientDocuments']>[number]

export function fixedSource(destination: Destination): ServerSource {
  return {
    known: async () => destination,
    renew: async () => destination,
    doubt: () => {},
    proved: async () => {},
    allowing: async (known) => known,
    disowned: async () => false,
  }
}

interface Remembered {
  readonly v: typeof FORMAT
  readonly sealed: string
}

interface Opened {
  readonly sealed: string
  readonly facts: Facts
  readonly destination: Destination
}

const PURPOSE = 'upstream-server'
/** Requests that fail together are one doubt, and a server in trouble is not asked again and again. */
const DOUBT_EVERY_MS = 30_000
/** A person who is sent to a server that has forgotten the gateway meets its error page and never comes back, so nobody would tell. */
const RECOGNITION_MS = 60 * 60_000
/** One that the server was only just told of, and may lose before anybody comes with it. */
const FRESH_MS = 60_000
const KEPT_TO_LESS =
  'the upstream keeps this gateway to the scopes that it registered for: it registered anew for more, and people sign in there again'
/** What is asked for depends on clients. */
const MOST_QUESTIONS = 100
/** Each is remembered and registered at, so an upstream must not name as many as it likes. */
const NEW_SERVERS = { size: 5, perSecond: 1 / 600 }

export function discoveredSource(input: DiscoveryInput, deps: AuthDeps): ServerSource {
  const { store, sealer, http, now, log } = deps
  const { upstream, ownClient } = input
  const key = keys.discovered(hashToken(JSON.stringify(identityOf(input))))
  const created = new Map<string, Registrations>()
  /** Where its answers come in is part of what the gateway is registered as. */
  const registrationsAt: RegistrationsAt = (redirectUri) => {
    const known = created.get(redirectUri) ?? createRegistrations({ ...ownClient, redirectUri }, deps)
    created.set(redirectUri, known)
    return known
  }
  let cached: Opened | undefined
  let underway: Promise<Destination> | undefined
  let doubtedAtMs = Number.NEGATIVE_INFINITY
  /** Scopes that the server did not refuse to a client that registered for less, and when it was asked. */
  const notRefused = new Map<string, { readonly atMs: number; readonly forMs: number }>()
  let recognised: { readonly clientId: string; readonly atMs: number; readonly forMs: number } | undefined

  const newServers = createBucket({ ...NEW_SERVERS, now })
  let named: string | undefined
  let notedAtMs = Number.NEGATIVE_INFINITY

  async function known(): Promise<Destination | undefined> {
    const destination = (await remembered())?.destination
    const { issuer, redirectUri = '' } = destination?.server ?? {}
    if (issuer === undefined || isResting(notedAtMs, NOTED_EVERY_MS, now())) return destination
    notedAtMs = now()
    await Promise.all([noteHostsUsed(issuer, deps), registrationsAt(redirectUri).noteUsed(issuer)])
    return destination
  }

  function checkNamed(issuer: string): void {
    if (issuer === named) return
    if (newServers.take() !== 'taken') {
      const message = 'the upstream names one authorization server after another'
      throw new UpstreamError('unavailable', message, { issuer })
    }
    named = issuer
  }

  async function remembered(): Promise<Opened | undefined> {
    const entry = await store.get<Remembered>(key)
    if (entry === undefined) return undefined
    if (cached?.sealed === entry.value.sealed) return cached
    const text = sealer.open(PURPOSE, key, entry.value.sealed)
    if (text === undefined) return undefined
    const facts = JSON.parse(text) as Facts
    if (facts.registration !== undefined && !isClientId(facts.registration.clientId)) return undefined
    cached = { sealed: entry.value.sealed, facts, destination: destinationOf(input, facts) }
    return cached
  }

  async function discover(news: ClientNews): Promise<Destination> {
    const facts = await recognisedFacts(await learnt(news))
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

  const learnt = async (client: ClientNews) =>
    lookUp({ input, known: (await remembered())?.facts, client, registrationsAt, deps, checkNamed })

  async function recognisedFacts(facts: Facts): Promise<Facts> {
    const { server } = destinationOf(input, facts)
    const isDue =
      recognised?.clientId !== server.clientId || !isResting(recognised.atMs, recognised.forMs, now())
    // Without browsers nobody can be lost there: the token endpoint will say it.
    if (!signsIn(ownClient) || !isDue) return facts
    if (await isDisowned(server, facts)) return learnt({ isDisowned: true })
    const isOld = (await remembered())?.destination.server.clientId === server.clientId
    const forMs = isOld ? RECOGNITION_MS : FRESH_MS
    recognised = { clientId: server.clientId, atMs: now(), forMs }
    return facts
  }

  async function isDisowned(server: UpstreamServer, { metadata }: Facts): Promise<boolean> {
    if (isRegistered(server)) return registrationsAt(server.redirectUri).dropIfForgotten(server)
    // Where it says that it takes documents, it may only have failed to read this one.
    const isKept = input.client === undefined && metadata.clientDocuments !== true
    return isKept && isForgotten(http, server, now())
  }

  /** A client that the gateway got by registering: nobody else can mend it. */
  function isRegistered(server: UpstreamServer): boolean {
    return (
      input.client === undefined &&
      !isOwnDocument(server, ownClient) &&
      server.clientId !== ownClient.hostedDocumentUrl
    )
  }

  function renew(news: ClientNews = {}): Promise<Destination> {
    underway ??= discover(news).finally(() => {
      underway = undefined
    })
    return underway
  }

  async function isKeptToLess(
    { server, resource }: Destination,
    scopes: readonly string[],
  ): Promise<boolean> {
    const isNarrower =
      isRegistered(server) && (await registrationsAt(server.redirectUri).isNarrower(server, scopes))
    const question = [server.clientId, ...scopes].join(' ')
    const before = notRefused.get(question)
    if (!isNarrower || (before && isResting(before.atMs, before.forMs, now()))) return false
    const verdict = await judgeScopes(http, server, { scopes, resource })
    if (verdict === 'refused') return true
    if (notRefused.size >= MOST_QUESTIONS) notRefused.clear()
    notRefused.set(question, { atMs: now(), forMs: verdict === 'taken' ? RECOGNITION_MS : DOUBT_EVERY_MS })
    return false
  }

  return {
    known,
    renew: () => renew(),
    doubt() {
      if (isResting(doubtedAtMs, DOUBT_EVERY_MS, now())) return
      doubtedAtMs = now()
      // Most often it is down and has not moved: then nothing is learnt, and nothing changes.
      renew().catch((error: unknown) =>
        log.debug('nothing new of an upstream in trouble', { reason: String(error) }),
      )
    },
    async proved({ server }) {
      if (isRegistered(server)) await registrationsAt(server.redirectUri).prove(server)
    },
    async allowing(destination, scopes) {
      if (!(await isKeptToLess(destination, scopes))) return destination
      // One that began before knows nothing of these.
      await underway?.catch(() => {})
      const { server, resource } = destination
      const takes = ({ clientId }: UpstreamRegistration) =>
        judgeScopes(http, { ...server, clientId }, { scopes, resource })
      const widened = await renew({ narrow: { scopes, takes } })
      if (widened.server.clientId !== destination.server.clientId)
        log.warn(KEPT_TO_LESS, { issuer: widened.server.issuer })
      return widened
    },
    async disowned({ server }) {
      if (!isRegistered(server)) return false
      const { dropIfForgotten, drop: dropNow } = registrationsAt(server.redirectUri)
      const drop = signsIn(ownClient) ? dropIfForgotten : dropNow
      if (!(await drop(server))) return false
      // One that began before may have read what was dropped.
      await underway?.catch(() => {})
      await renew()
      return true
    },
    clientDocument: {
      path: new URL(ownClient.documentUrl).pathname,
      grantTypes: ownClient.grantTypes,
      async read(path, grantTypes) {
        const server = (await known())?.server
        if (server === undefined || !isOwnDocument(server, ownClient)) return undefined
        const { authMethod, redirectUri, clientId: documentUrl } = server
        if (new URL(documentUrl).pathname !== path) return undefined
        return clientMetadata({ ...ownClient, documentUrl, grantTypes, authMethod, redirectUri })
      },
    },
  }
}
