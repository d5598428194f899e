// Rules about what is sent to upstreams: headers, keys, resources.
import { foldHeaderName } from '../../header-name.ts'
import { isKey } from '../auth-traits.ts'
import { childPointer } from '../pointer.ts'
import type { RouteConfig } from '../types.ts'
import { isPlainHttp, type Rule, routesOf } from './rule.ts'

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const HEADER_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/

/** Headers that belong to one connection (RFC 9110 §7.6.1) or that decide where a message goes and ends. */
const CONNECTION_HEADERS = [
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

const NEVER_SET = [...CONNECTION_HEADERS, 'authorization', 'cookie']

const fixedHeaders: Rule = {
  id: 'upstream/header',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      for (const name of Object.keys(route.upstream.headers)) {
        const reason = whyNotSet(name, NEVER_SET)
        if (reason) yield { pointer: childPointer(`${pointer}/upstream/headers`, name), at: 'key', ...reason }
      }
    }
  },
}

const forwardedHeaders: Rule = {
  id: 'upstream/forward-header',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      for (const [index, name] of route.upstream.forward_headers.entries()) {
        // A client's credentials are for the gateway; handing them on is the token passthrough that MCP forbids.
        const reason = whyNotSet(name, NEVER_SET)
        if (reason) yield { pointer: `${pointer}/upstream/forward_headers/${index}`, ...reason }
      }
    }
  },
}

const duplicateHeaders: Rule = {
  id: 'upstream/header-duplicate',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      const owners = new Map<string, { readonly name: string; readonly at: string }>()
      for (const { name, at } of headersOf(route, pointer)) {
        const owner = owners.get(foldHeaderName(name))
        if (owner === undefined) owners.set(foldHeaderName(name), { name, at })
        else {
          const message = `${name} is set twice (also ${facts.place(owner.at)}); ${likeness(name, owner.name)}`
          yield { pointer: at, at: 'key', message, hint: 'Keep one of the two.' }
        }
      }
    }
  },
}

const likeness = (one: string, other: string) =>
  one.toLowerCase() === other.toLowerCase()
    ? 'header names ignore case'
    : `many servers take ${other} for the same name`

/** Every header a route may set or pass on, in the order in which a later one would win. */
function headersOf(
  { upstream, auth, identity }: RouteConfig,
  pointer: string,
): { name: string; at: string }[] {
  const fixed = Object.keys(upstream.headers).map((name) => ({
    name,
    at: childPointer(`${pointer}/upstream/headers`, name),
  }))
  const forwarded = upstream.forward_headers.map((name, index) => ({
    name,
    at: `${pointer}/upstream/forward_headers/${index}`,
  }))
  const isSettable = ({ name }: { name: string }) => !NEVER_SET.includes(foldHeaderName(name))
  const key = isKey(auth) && auth.in === 'header' ? [{ name: auth.name, at: `${pointer}/auth/name` }] : []
  return [...[...fixed, ...forwarded, ...identityHeaders(identity, pointer)].filter(isSettable), ...key]
}

function identityHeaders(identity: RouteConfig['identity'], pointer: string): { name: string; at: string }[] {
  const plain = Object.keys(identity?.headers ?? {}).map((name) => ({
    name,
    at: childPointer(`${pointer}/identity/headers`, name),
  }))
  const { assertion } = identity ?? {}
  return assertion === undefined
    ? plain
    : [...plain, { name: assertion.header, at: `${pointer}/identity/assertion/header` }]
}

/** What MCP itself says in headers: an upstream would take who calls for what is called. */
const PROTOCOL_HEADERS = /^(mcp-.*|accept|content-type|last-event-id)$/

const identityHeader: Rule = {
  id: 'identity/header',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      for (const { name, at } of identityHeaders(route.identity, pointer)) {
        const reason = PROTOCOL_HEADERS.test(foldHeaderName(name))
          ? { message: `${name} belongs to MCP`, hint: 'Use another name, as in X-User.' }
          : whyNotSet(name, NEVER_SET)
        if (reason && facts.known(at)) yield { pointer: at, ...placeOf(at), ...reason }
      }
    }
  },
}

const MAX_ASSERTION_MS = 10 * 60_000

const assertionLife: Rule = {
  id: 'identity/assertion-ttl',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      const at = `${pointer}/identity/assertion/ttl`
      const { ttl_ms: ttl = 0 } = route.identity?.assertion ?? {}
      if (!facts.known(at) || ttl <= MAX_ASSERTION_MS) continue
      // Whoever reads one in a log is that person until it expires.
      yield {
        pointer: at,
        message: 'is longer than 10m',
        hint: 'Every request has a new one: 60s is enough.',
      }
    }
  },
}

/** A name that is a key of a map stands there as the key. */
const placeOf = (pointer: string) => (pointer.endsWith('/assertion/header') ? {} : { at: 'key' as const })

const keyName: Rule = {
  id: 'auth/api-key-name',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      if (!isKey(route.auth) || !facts.known(`${pointer}/auth/name`)) continue
      const { name, in: where } = route.auth
      const reason = where === 'header' ? whyNotSet(name, CONNECTION_HEADERS) : whyNoQueryName(name)
      if (reason) yield { pointer: `${pointer}/auth/name`, ...reason }
    }
  },
}

const keyValue: Rule = {
  id: 'auth/api-key-value',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      if (
        route.auth.type !== 'api_key' ||
        route.auth.in !== 'header' ||
        !facts.known(`${pointer}/auth/value`)
      )
        continue
      if (HEADER_VALUE.test(route.auth.value)) continue
      const hint = 'Remove line breaks and control characters from the variable or file.'
      yield {
        pointer: `${pointer}/auth/value`,
        message: 'what it stands for cannot be sent as a header',
        hint,
      }
    }
  },
}

const resourceShape: Rule = {
  id: 'auth/resource',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      const resource = 'resource' in route.auth ? route.auth.resource : undefined
      const at = `${pointer}/auth/resource`
      if (resource === undefined || resource === 'none' || !facts.known(at)) continue
      if (URL.canParse(resource) && !resource.includes('#')) continue
      yield {
        pointer: at,
        message: 'is no absolute URL without a fragment (RFC 8707 §2)',
        hint: 'Write such a URL, or none.',
      }
    }
  },
}

const plainUpstream: Rule = {
  id: 'upstream/plain-http',
  severity: 'warning',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      const at = `${pointer}/upstream/url`
      const { auth, identity, upstream } = route
      const carries =
        auth.type !== 'none' || identity !== undefined || Object.keys(upstream.headers).length > 0
      if (!carries || !facts.known(at) || !isPlainHttp(route.upstream.url)) continue
      yield { pointer: at, message: 'credentials cross the network unencrypted', hint: 'Use https.' }
    }
  },
}

function whyNotSet(
  name: string,
  forbidden: readonly string[],
): { message: string; hint: string } | undefined {
  if (!TOKEN.test(name)) return { message: `"${name}" is no header name`, hint: 'Write it as in X-API-Key.' }
  if (!forbidden.includes(foldHeaderName(name))) return undefined
  const hint = name.toLowerCase() === 'authorization' ? 'Use auth with type: api_key.' : 'Remove it.'
  return { message: `${name} is never set this way`, hint }
}

function whyNoQueryName(name: string): { message: string; hint: string } | undefined {
  return /^[\w.~[\]-]+$/.test(name)
    ? undefined
    : { message: `"${name}" is no query name`, hint: 'Write it as in api_key.' }
}

export const upstreamRules = [
  fixedHeaders,
  forwardedHeaders,
  duplicateHeaders,
  keyName,
  keyValue,
  identityHeader,
  assertionLife,
  resourceShape,
  plainUpstream,
]
