// The tokens that people have at upstreams: kept sealed, bound to the record they lie in, opened once per version.
import { hashToken } from '../oauth/tokens.ts'
import type { Subject } from '../slots.ts'
import { FORMAT, indexes, keys, type Link } from '../store/records.ts'
import type { Sealer } from '../store/seal.ts'
import type { Store } from '../store/store.ts'
import type { UpstreamTokens } from '../upstream/oauth-client.ts'

/** A link whose tokens were opened. */
export interface OpenLink {
  readonly link: Link
  readonly tokens: UpstreamTokens
}

export interface Links {
  /** Undefined when there is none, or when its seal does not open: either way that person connects again. */
  find(subject: Subject, fingerprint: string): Promise<OpenLink | undefined>
  save(subject: Subject, fingerprint: string, tokens: UpstreamTokens, asked: readonly string[]): Promise<void>
}

/** A link that nobody used for so long is deleted (design §2). */
const UNUSED_MS = 90 * 24 * 60 * 60 * 1000
const PURPOSE = 'link'
const MAX_OPENED = 10_000

export function createLinks(store: Store, sealer: Sealer, now: () => number): Links {
  // Opening a seal costs more than reading the record, so the opened tokens are kept while the version stands.
  const opened = new Map<string, { readonly version: number; readonly tokens: UpstreamTokens }>()

  function open(key: string, version: number, link: Link): UpstreamTokens | undefined {
    const known = opened.get(key)
    if (known?.version === version) return known.tokens
    const text = sealer.open(PURPOSE, key, link.sealed)
    if (text === undefined) return undefined
    const tokens = JSON.parse(text) as UpstreamTokens
    if (opened.size >= MAX_OPENED) opened.clear()
    opened.set(key, { version, tokens })
    return tokens
  }

  return {
    async find(subject, fingerprint) {
      const key = keys.link(hashToken(subject), fingerprint)
      const entry = await store.get<Link>(key)
      if (entry === undefined) return undefined
      const tokens = open(key, entry.version, entry.value)
      return tokens && { link: entry.value, tokens }
    },

    async save(subject, fingerprint, tokens, asked) {
      const key = keys.link(hashToken(subject), fingerprint)
      const link: Link = {
        v: FORMAT,
        subject,
        fingerprint,
        asked,
        granted: tokens.scope,
        sealed: sealer.seal(PURPOSE, key, JSON.stringify(tokens)),
        dead: false,
        updatedAtMs: now(),
      }
      await store.put(key, link, { expiresAtMs: now() + UNUSED_MS, indexes: [indexes.bySubject(subject)] })
    },
  }
}
