// Rules about durations that depend on each other, and about the keys of the store.
import type { Config } from '../types.ts'
import { type Rule, routesOf } from './rule.ts'

const MAX_GRACE_MS = 300_000

const graceBound: Rule = {
  id: 'tokens/refresh-grace',
  severity: 'error',
  *check({ config, known }) {
    const pointer = '/tokens/refresh_grace'
    if (!known(pointer) || config.tokens.refresh_grace_ms <= MAX_GRACE_MS) return
    // Within the grace a stolen refresh token cannot be told from a client that lost the reply (RFC 9700 §4.14).
    yield { pointer, message: 'is longer than 300s', hint: 'Write 0s to 300s.' }
  },
}

const refreshOrder: Rule = {
  id: 'tokens/refresh-order',
  severity: 'error',
  *check({ config: { tokens }, known }) {
    const pointer = '/tokens/refresh_ttl'
    if (!known(pointer) || !known('/tokens/refresh_max') || tokens.refresh_ttl_ms <= tokens.refresh_max_ms)
      return
    yield {
      pointer,
      message: 'is longer than refresh_max',
      hint: 'Shorten refresh_ttl or lengthen refresh_max.',
    }
  },
}

/** Durations for which zero makes no sense. */
const POSITIVE: readonly (readonly [pointer: string, read: (config: Config) => number])[] = [
  ['/login/session/ttl', ({ login }) => login.session.ttl_ms],
  ['/tokens/access_ttl', ({ tokens }) => tokens.access_ttl_ms],
  ['/tokens/refresh_ttl', ({ tokens }) => tokens.refresh_ttl_ms],
  ['/tokens/refresh_max', ({ tokens }) => tokens.refresh_max_ms],
]

const positiveDurations: Rule = {
  id: 'value/zero',
  severity: 'error',
  *check(facts) {
    const { config, known } = facts
    const routes = routesOf(facts).flatMap(({ pointer, route }) => [
      { pointer: `${pointer}/timeouts/connect`, value: route.timeouts.connect_ms },
      { pointer: `${pointer}/timeouts/response`, value: route.timeouts.response_ms },
      { pointer: `${pointer}/limits/max_body`, value: route.limits.max_body_bytes },
    ])
    for (const { pointer, value } of [
      ...POSITIVE.map(([pointer, read]) => ({ pointer, value: read(config) })),
      ...routes,
    ]) {
      if (known(pointer) && value === 0) yield { pointer, message: 'must be more than zero' }
    }
  },
}

const KEY_BYTES = 32

const storeKeys: Rule = {
  id: 'store/key',
  severity: 'error',
  *check({ config, known }) {
    for (const [index, key] of (config.store.keys ?? []).entries()) {
      const pointer = `/store/keys/${index}`
      if (!known(pointer) || isKey(key)) continue
      const hint = 'Make one with: openssl rand -base64 32 | tr +/ -_ | tr -d ='
      yield { pointer, message: `what it stands for is not ${KEY_BYTES} bytes of base64url`, hint }
    }
  },
}

function isKey(text: string): boolean {
  return /^[A-Za-z0-9_-]+=?$/.test(text) && Buffer.from(text, 'base64url').length === KEY_BYTES
}

export const lifetimeRules = [graceBound, refreshOrder, positiveDurations, storeKeys]
