// What a registration endpoint's answer comes to.
import * as assert from 'uvu/assert'
import { UpstreamError } from '../../src/errors.ts'
import type { ControlAnswer } from '../../src/upstream/http.ts'
import { registerClient } from '../../src/upstream/register.ts'
import { assumedServer } from '../../src/upstream/server-metadata.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/register')
const ORIGIN = 'https://as.example'
const NOW_MS = Date.parse('2026-03-01T12:00:00Z')

function register(status: number, members: object) {
  const body = Buffer.from(JSON.stringify(members))
  const http = async () => ({ status, headers: {}, body }) as ControlAnswer
  const server = { ...assumedServer(ORIGIN), registrationEndpoint: `${ORIGIN}/register`, isAssumed: false }
  const request = { clientName: 'Gateway', redirectUris: [], scope: undefined, grantTypes: [], keys: {} }
  return registerClient(http, server, 'configured', request, NOW_MS)
}

for (const [status, fault] of [
  [400, 'bad_response'],
  [403, 'bad_response'],
  [429, 'unavailable'],
  [503, 'unavailable'],
] as const)
  test(`${status}: ${fault}`, async () => {
    const thrown = await register(status, {}).catch((error: unknown) => error)
    assert.ok(thrown instanceof UpstreamError)
    assert.is(thrown.fault, fault)
  })

test('RFC 7591 §3.2.1: a secret ends when it says, and one that would have ended before it was given does not end', async () => {
  const endOf = async (client_secret_expires_at: unknown) => {
    const secret = { client_id: 'c', client_secret: 's', client_secret_expires_at }
    return (await register(201, secret)).secretExpiresAtMs
  }
  const nowSeconds = NOW_MS / 1000
  assert.is(await endOf(nowSeconds + 60), NOW_MS + 60_000)
  for (const none of [0, 1, nowSeconds, 3600, undefined, null, 'never'])
    assert.is(await endOf(none), undefined, String(none))
})

test.run()
