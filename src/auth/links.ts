// The tokens that people have at upstreams: kept sealed, bound to the record they lie in.
import { missing, remembered, union } from '../oauth/scope.ts'
import { hashToken } from '../oauth/tokens.ts'
import type { Subject } from '../slots.ts'
import { FORMAT, indexes, keys, type Link } from '../store/records.ts'
import type { Sealer } from '../store/seal.ts'
import { sealedRecords } from '../store/sealed-records.ts'
import type { Store } from '../store/store.ts'
import { update } from '../store/update.ts'
import type { UpstreamTokens } from '../upstream/server.ts'
import { UNUSED_MS } from './unused.ts'

/** A link whose tokens were opened. */
export interface OpenLink {
  readonly link: Link
  readonly tokens: UpstreamTokens
}

export interface Links {
  /** Undefined when there is none, or when its seal does not open: either way that person connects again. */
  find(subject: Subject, fingerprint: string): Promise<OpenLink | undefined>
  /** After a sign-in at the upstream: replaces whatever was there. `sameAs`: the link whose account this is still. */
  save(
    subject: Subject,
    fingerprint: string,
    tokens: UpstreamTokens,
    asked: readonly string[],
    sameAs?: OpenLink,
  ): Promise<void>
  /** After a refresh. False when the link changed meanwhile: then the newer one counts. */
  renew(found: OpenLink, tokens: UpstreamTokens): Promise<boolean>
  /** The upstream refused it for good: that person has to connect again. The tokens are kept (design §6.9). */
  bury(found: OpenLink): Promise<void>
  /** The upstream demands these scopes too: that person is to be asked for them at the next sign-in. False: there are too many already. */
  want(found: OpenLink, scopes: readonly string[]): Promise<boolean>
  /** The server does not take a request for these scopes: for a while none is made. */
  refuse(found: OpenLink, scopes: readonly string[]): Promise<void>
  /** Deletes it, and gives back what it held. Undefined when there was none that opens. */
  remove(subject: Subject, fingerprint: string): Promise<OpenLink | undefined>
}

/** A link in daily use is written to keep it alive at most this often. */
const TOUCH_MS = 24 * 60 * 60 * 1000
const PURPOSE = 'link'
/** An upstream that thinks of another scope at every call does not make a record, or people's patience, grow without end. */
const MAX_SCOPES = 200
const MAX_OPENED = 10_000

export function createLinks(store: Store, sealer: Sealer, now: () => number): Links {
  const records = sealedRecords<UpstreamTokens>(sealer, PURPOSE, MAX_OPENED)

  const options = (subject: Subject) => ({
    expiresAtMs: now() + UNUSED_MS,
    indexes: [indexes.bySubject(subject)],
  })
  const keyOf = (subject: Subject, fingerprint: string) => keys.link(hashToken(subject), fingerprint)

  /** Changes the link while it still holds the tokens that were read: a newer sign-in or refresh wins, a mere touch does not. Each write also keeps it for another 90 days. */
  async function change({ link }: OpenLink, changes: Partial<Link>): Promise<boolean> {
    const key = keyOf(link.subject, link.fingerprint)
    const next = { ...changes, updatedAtMs: now() }
    const stored = await update<Link>(store, key, (current) =>
      current?.sealed === link.sealed
        ? { value: { ...current, ...next }, options: options(link.subject) }
        : undefined,
    )
    return stored?.sealed === (changes.sealed ?? link.sealed)
  }

  const isUntouched = ({ updatedAtMs }: Link) => now() - updatedAtMs > TOUCH_MS

  /** Of many that come at once the first one writes, and the others see that it did. */
  async function touch(key: string): Promise<void> {
    await update<Link>(store, key, (current) =>
      current !== undefined && isUntouched(current)
        ? { value: { ...current, updatedAtMs: now() }, options: options(current.subject) }
        : undefined,
    )
  }

  return {
    async find(subject, fingerprint) {
      const key = keyOf(subject, fingerprint)
      const entry = await store.get<Link>(key)
      const tokens = entry && records.open(key, entry.value.sealed)
      if (entry === undefined || tokens === undefined) return undefined
      const found = { link: entry.value, tokens }
      if (isUntouched(entry.value)) await touch(key)
      return found
    },

    async save(subject, fingerprint, tokens, asked, sameAs) {
      const key = keyOf(subject, fingerprint)
      const sealed = records.seal(key, tokens)
      await update<Link>(store, key, (current) => {
        const link: Link = {
          v: FORMAT,
          subject,
          fingerprint,
          asked,
          // Demanded while the person was away at the upstream: that is for the next time.
          wanted: missing(asked, current?.wanted ?? []),
          ...(current?.refused && {
            refused: { ...current.refused, scopes: missing(asked, current.refused.scopes) },
          }),
          granted: tokens.scope,
          sealed,
          dead: false,
          updatedAtMs: now(),
          connectedAtMs: now(),
          accountSinceMs: (sameAs && accountOf(sameAs)) ?? nextAccount(current, now()),
        }
        return { value: link, options: options(subject) }
      })
    },

    renew(found, tokens) {
      const { subject, fingerprint, granted } = found.link
      return change(found, {
        granted: tokens.scope ?? granted,
        sealed: records.seal(keyOf(subject, fingerprint), tokens),
        // Whoever buried it meanwhile was refused the tokens that these replace.
        dead: false,
      })
    },

    async bury(found) {
      await change(found, { dead: true })
    },

    async want(found, scopes) {
      const { asked, wanted, refused } = found.link
      const next = remembered(wanted, missing(asked, scopes))
      const inVain = missing(next, refused?.scopes ?? [])
      if (asked.length + next.length + inVain.length > MAX_SCOPES) return false
      if (missing(union(asked, next), scopes).length > 0) return false
      await change(found, { wanted: next, ...(refused && { refused: { ...refused, scopes: inVain } }) })
      return true
    },

    async refuse(found, scopes) {
      const { wanted, refused } = found.link
      await change(found, {
        wanted: missing(scopes, wanted),
        refused: { scopes: union(scopes, refused?.scopes ?? []).slice(0, MAX_SCOPES), atMs: now() },
      })
    },

    async remove(subject, fingerprint) {
      const key = keyOf(subject, fingerprint)
      for (;;) {
        const entry = await store.get<Link>(key)
        if (entry === undefined) return undefined
        const tokens = records.open(key, entry.value.sealed)
        if (!(await store.cas(key, entry.version, undefined))) continue
        records.drop(key)
        return tokens && { link: entry.value, tokens }
      }
    },
  }
}

/** A link of old does not say it, but was written anew by each sign-in. */
export const accountOf = ({ link }: Pick<OpenLink, 'link'>): number | undefined =>
  link.accountSinceMs ?? link.connectedAtMs

/** Two sign-ins in one millisecond, or a clock that was set back, are still two. */
function nextAccount(link: Link | undefined, nowMs: number): number {
  const before = link && accountOf({ link })
  return before === undefined ? nowMs : Math.max(nowMs, before + 1)
}
