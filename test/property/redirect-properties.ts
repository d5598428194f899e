// The rules for redirect URIs against what is known of each case, and against what a browser makes of it.
import * as assert from 'uvu/assert'
import { OAuthError } from '../../src/errors.ts'
import {
  checkRedirectUri,
  checkRegistrable,
  redirectLocation,
  type VerifiedRedirect,
} from '../../src/oauth/redirect-uri.ts'
import { property } from './check.ts'
import { answers, registrations, requests } from './redirect-cases.ts'
import { LISTED_SCHEMES } from './redirect-parts.ts'
import { mayUse } from './redirect-reference.ts'

/** What it returns; undefined for a refusal in OAuth's words. Any other error is a fault. */
function accepted<T>(check: () => T): T | undefined {
  try {
    return check()
  } catch (error) {
    if (error instanceof OAuthError) return undefined
    throw error
  }
}

export const registrable = property(
  'a URI can be registered exactly when no part of it is bad',
  registrations,
  ({ uri, isRegistrable }) => {
    const result = accepted(() => checkRegistrable(uri, LISTED_SCHEMES))
    if (result !== (isRegistrable ? uri : undefined)) {
      throw new Error(`${JSON.stringify(uri)} should ${isRegistrable ? '' : 'not '}be registrable`)
    }
    if (result !== undefined) assertReadAlike(result)
  },
)

/** A client that reads it by RFC 3986 (its appendix B) and a browser that reads it by WHATWG see the same. */
function assertReadAlike(uri: string): void {
  const parts = /^([^:/?#]+):(?:\/\/([^/?#]*))?/.exec(uri)
  const url = new URL(uri)
  assert.equal([`${parts?.[1]}:`, parts?.[2] ?? ''], [url.protocol, url.host], uri)
}

export const matcher = property(
  'a request may use what is registered, or another port of it on loopback, and nothing else',
  requests,
  ({ registered, requested }) => {
    const expected = mayUse(registered, requested)
    const result = accepted(() => checkRedirectUri(registered, requested))
    if (result !== (expected ? requested : undefined)) {
      throw new Error(`${JSON.stringify(requested)} should ${expected ? '' : 'not '}fit ${registered}`)
    }
    if (result !== undefined && !registered.some((uri) => isSamePlace(uri, result))) {
      throw new Error(`a browser goes elsewhere: ${result}`)
    }
  },
)

function isSamePlace(registered: string, used: string): boolean {
  const [own, asked] = [new URL(registered), new URL(used)]
  const isLoopback = own.protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(own.hostname)
  if (isLoopback) asked.port = own.port
  return own.href === asked.href
}

export const location = property(
  'an answer arrives where the client registered it, with each parameter once and ours, and the rest as it was',
  answers,
  ({ uri, parameters }) => {
    const target = new URL(redirectLocation(uri as VerifiedRedirect, parameters))
    const own = new URL(uri)
    assert.equal(
      [target.protocol, target.host, target.pathname, target.hash],
      [own.protocol, own.host, own.pathname, ''],
    )
    for (const [name, value] of Object.entries(parameters)) {
      assert.equal(
        target.searchParams.getAll(name),
        value === undefined ? [] : [value],
        `${name} of ${target}`,
      )
    }
    const others = (url: URL) => [...url.searchParams].filter(([name]) => !Object.hasOwn(parameters, name))
    assert.equal(others(target), others(own))
  },
)
