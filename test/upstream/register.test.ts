// What a registration endpoint's answer comes to.
import * as assert from 'uvu/assert'
import { UpstreamError } from '../../src/errors.ts'
import type { ControlHttp } from '../../src/upstream/http.ts'
import { registerClient } from '../../src/upstream/register.ts'
import type { UpstreamAuthMethod } from '../../src/upstream/server.ts'
import { assumedServer, type ServerMetadata } from '../../src/upstream/server-metadata.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/register')
const ORIGIN = 'https://as.example'
const NOW_MS = Date.parse('2026-03-01T12:00:00Z')

interface Circumstances {
  readonly authMethod?: UpstreamAuthMethod
  readonly scopes?: readonly string[]
  readonly metadata?: Partial<ServerMetadata>
  readonly sent?: Record<string, unknown>[]
}

function register(status: number, members: object, circumstances: Circumstances = {}) {
  const { authMethod, scopes = [], metadata, sent } = circumstances
  const http: ControlHttp = async ({ body = '' }) => {
    sent?.push(JSON.parse(body))
    return { status, headers: {}, body: Buffer.from(JSON.stringify(members)) }
  }
  const registrationEndpoint = `${ORIGIN}/register`
  const server = { ...assumedServer(ORIGIN), isAssumed: false, ...metadata, registrationEndpoint }
  const keys = { jwks: { keys: [] } }
  const request = { clientName: 'Gateway', redirectUris: [], scopes, authMethod, grantTypes: [], keys }
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
  const farAhead = nowSeconds * 2
  assert.is(await endOf(String(farAhead)), farAhead * 1000)
  const odd: unknown[] = [[farAhead], { toString: 1, valueOf: 1 }, {}, true]
  for (const none of [0, 1, nowSeconds, 3600, undefined, null, 'never', ...odd])
    assert.is(await endOf(none), undefined, JSON.stringify(none))
})

const METHODS: readonly UpstreamAuthMethod[] = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
]

for (const authMethod of METHODS) {
  const usesSecret = authMethod.startsWith('client_secret_')
  test(`${authMethod} in the file is what is registered, also where others are listed before it or none is listed`, async () => {
    for (const authMethods of [undefined, METHODS])
      for (const echoed of [{}, { token_endpoint_auth_method: authMethod }]) {
        const sent: Record<string, unknown>[] = []
        const answer = { client_id: 'c', client_secret: 's', ...echoed }
        const made = await register(201, answer, { authMethod, metadata: { authMethods }, sent })
        assert.equal([made.authMethod, made.clientSecret], [authMethod, usesSecret ? 's' : undefined])
        assert.equal(
          sent.map((body) => [body.token_endpoint_auth_method, body.jwks !== undefined]),
          [[authMethod, authMethod === 'private_key_jwt']],
        )
      }
  })

  test(`${authMethod} in the file, and a server that does not list it, is told to the operator before anything is registered`, async () => {
    const sent: Record<string, unknown>[] = []
    const authMethods = METHODS.filter((other) => other !== authMethod)
    const circumstances = { authMethod, metadata: { authMethods }, sent }
    const thrown = await register(201, { client_id: 'c' }, circumstances).catch((error: unknown) => error)
    assert.ok(thrown instanceof UpstreamError)
    assert.match(thrown.message, 'token_endpoint_auth_method')
    assert.equal([thrown.fault, thrown.detail.method, sent], ['bad_response', authMethod, []])
  })

  test(`RFC 7591 §3.2.1: ${authMethod} in the file is never made another by what the server answers`, async () => {
    const other = authMethod === 'none' ? 'client_secret_basic' : 'none'
    const answers = [
      { client_id: 'c', client_secret: 's', token_endpoint_auth_method: other },
      ...(usesSecret ? [{ client_id: 'c' }] : []),
    ]
    for (const answer of answers) {
      const thrown = await register(201, answer, { authMethod }).catch((error: unknown) => error)
      assert.ok(thrown instanceof UpstreamError)
      assert.match(thrown.message, 'token_endpoint_auth_method')
    }
  })
}

test('private_key_jwt in the file, and a server that takes no signatures like the gateway’s', async () => {
  const metadata = { assertionAlgorithms: ['RS256'] }
  const circumstances = { authMethod: 'private_key_jwt' as const, metadata }
  const thrown = await register(201, { client_id: 'c' }, circumstances).catch((error: unknown) => error)
  assert.ok(thrown instanceof UpstreamError)
  assert.match(thrown.message, 'token_endpoint_auth_method')
})

test('RFC 7591 §2: scopes are named where there are any, for servers that else allow none', async () => {
  const sent: Record<string, unknown>[] = []
  await register(201, { client_id: 'c' }, { scopes: ['a', 'b'], sent })
  await register(201, { client_id: 'c' }, { sent })
  assert.equal(
    sent.map((body) => body.scope),
    ['a b', undefined],
  )
})

test.run()
