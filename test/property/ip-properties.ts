// The classifier of addresses, and the guard that uses it, against the reference.
import * as assert from 'uvu/assert'
import { UpstreamError } from '../../src/errors.ts'
import { isPublicAddress } from '../../src/upstream/addresses.ts'
import { createGuard } from '../../src/upstream/guard.ts'
import { asyncProperty, property } from './check.ts'
import { addresses, hosts, noAddresses } from './ip-cases.ts'

export const classifier = property(
  'an address is public exactly where the registries leave it, however it is spelt',
  addresses,
  ({ text, isPublic }) => {
    if (isPublicAddress(text) !== isPublic)
      throw new Error(`${text} should be ${isPublic ? 'public' : 'special'}`)
  },
)

export const strictness = property(
  'what is no address in the one proper form is never public',
  noAddresses,
  (text) => {
    if (isPublicAddress(text)) throw new Error(`${JSON.stringify(text)} is no address`)
  },
)

/** No name is ever asked for: every host here is an address in disguise. */
const guard = createGuard((hostname, _options, callback) => callback(new Error(`asked for ${hostname}`), []))
const { signal } = new AbortController()

export const disguises = asyncProperty(
  "a stranger's URL leads to a public address or nowhere, whatever its host is written like",
  hosts,
  async ({ host, address, isPublic }) => {
    const url = new URL(`https://${host}/`)
    try {
      const found = await guard(url, 'foreign', signal)
      assert.is(isPublic, true, `${host} was let through`)
      assert.is(found.length, 1)
      if (address !== undefined) assert.is(found[0]?.address, address)
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      assert.equal([isPublic, error.detail.reason], [false, 'private_address'], host)
    }
  },
)
