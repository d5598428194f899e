// Auth type `user_api_key`: each person pastes a key of their own into a page of ours (screen 2); it goes out on their
// requests, and only to the upstream that it was pasted for.
import { createHash } from 'node:crypto'
import type { UserApiKeyAuth } from '../config/types.ts'
import { OAuthError } from '../errors.ts'
import type { Caller, Credentials, Subject, UpstreamAuth, UpstreamLink } from '../slots.ts'
import { keyCredentials } from './api-key.ts'
import type { AuthContext } from './context.ts'
import { keyCheck } from './key-check.ts'
import { accountOf, type OpenLink } from './links.ts'

export function userApiKey(entry: UserApiKeyAuth, context: AuthContext): UpstreamAuth {
  const { links, http, now } = context.deps
  const fingerprint = fingerprintOf(entry, context.upstream)
  const callbackPath = `/upstream/key/${context.route}`
  const prefix = entry.prefix ?? (isAuthorization(entry) ? 'Bearer ' : '')
  const credentialsOf = (key: string): Credentials => keyCredentials(entry, prefix + key)
  const credentialsIn = (found: OpenLink): Credentials => ({
    ...credentialsOf(found.tokens.accessToken),
    accountSinceMs: accountOf(found),
  })
  const sentTo = [...new Set([context.upstream.origin, ...checkedAt(entry)])]
  const check = keyCheck(entry.check, credentialsOf, { ...context, http })

  async function find(subject: Subject): Promise<OpenLink | undefined> {
    const found = await links.find(subject, fingerprint)
    return found?.link.dead ? undefined : found
  }

  const link: UpstreamLink = {
    keyForm: {
      path: callbackPath,
      instructions: entry.instructions,
      helpUrl: entry.help_url,
      sentTo,
      async check(pasted) {
        const key = cleanKey(pasted, prefix)
        return key === undefined ? 'This is no key. Paste it whole, on one line.' : check(key)
      },
    },
    // A key has no scopes that could be asked for: what the client wants is between it and the gateway.
    scopes: async (_subject, requested) => requested,
    fingerprint: async () => fingerprint,
    isGood: async (subject) => (await find(subject)) !== undefined,
    async account(subject) {
      const found = await find(subject)
      if (found === undefined) return undefined
      const { connectedAtMs } = found.link
      return { name: undefined, connectedAtMs, accountSinceMs: accountOf(found) }
    },
    begin: async (_subject, state) => ({
      location: `${context.issuer}${callbackPath}?${new URLSearchParams({ state })}`,
      callbackPath,
      pending: { fingerprint, state, codeVerifier: '', scopes: [], sentTo },
    }),
    async finish(subject, _pending, answer) {
      const key = cleanKey(answer.get('key') ?? '', prefix)
      if (key === undefined) throw new OAuthError('access_denied', 'no key was given')
      const before = await links.find(subject, fingerprint)
      const sameAs = before?.tokens.accessToken === key ? before : undefined
      await links.save(subject, fingerprint, tokensOf(key, now()), [], sameAs)
      return 'connected'
    },
  }

  return {
    link,
    async attach({ subject }) {
      const found = await find(subject)
      if (found !== undefined) return credentialsIn(found)
      throw new OAuthError('invalid_token', 'no key is connected: sign in again', { reason: 'no_link' })
    },
    async rejected({ subject }: Caller, sent) {
      const found = await find(subject)
      if (found === undefined) return false
      const isCurrent = JSON.stringify(sent) === JSON.stringify(credentialsIn(found))
      if (isCurrent) await links.bury(found)
      // Another one was pasted meanwhile.
      return !isCurrent
    },
  }
}

/** Pasted for this very address and place: an upstream that moves gets no key of the old one (design §6.5). The prefix is no part of it: mending it loses no key. */
function fingerprintOf({ in: place, name }: UserApiKeyAuth, { origin, pathname }: URL): string {
  const parts = ['user_api_key', origin + pathname, place, place === 'header' ? name.toLowerCase() : name]
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}

/** A check at an address of its own is told: a key goes there too. */
function checkedAt({ check }: UserApiKeyAuth): string[] {
  const url = URL.parse(check)
  return url === null ? [] : [url.origin]
}

const isAuthorization = ({ in: place, name }: UserApiKeyAuth) =>
  place === 'header' && name.toLowerCase() === 'authorization'

/** What can stand in a header or a query; pages often show a key together with the word before it. */
function cleanKey(pasted: string, prefix: string): string | undefined {
  const text = pasted.trim()
  const key = (prefix !== '' && text.startsWith(prefix) ? text.slice(prefix.length) : text).trim()
  return /^[\u0020-\u007e]+$/.test(key) ? key : undefined
}

function tokensOf(key: string, nowMs: number) {
  return {
    accessToken: key,
    refreshToken: undefined,
    obtainedAtMs: nowMs,
    expiresAtMs: undefined,
    scope: undefined,
  }
}
