// What a refused token request tells: for how long to wait, and to the log who refused whom.
import * as assert from 'uvu/assert'
import { UpstreamError } from '../../src/errors.ts'
import type { ControlAnswer } from '../../src/upstream/http.ts'
import type { UpstreamServer } from '../../src/upstream/server.ts'
import { clientCredentials } from '../../src/upstream/service-tokens.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/token-failure')
const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const SERVER: UpstreamServer = {
  issuer: undefined,
  issParameterSupported: false,
  authorizationEndpoint: 'https://as.example:8443/token',
  tokenEndpoint: 'https://as.example:8443/token',
  trust: 'configured',
  clientId: 'gateway',
  clientSecret: 'between-servers',
  authMethod: 'client_secret_post',
  authorizationParameters: {},
  redirectUri: 'https://gw.example/upstream/callback/as',
}

async function refused(
  status: number,
  headers: ControlAnswer['headers'],
  members: object = {},
  server = SERVER,
): Promise<UpstreamError> {
  const body = Buffer.from(JSON.stringify(members))
  const http = async () => ({ status, headers, body }) as ControlAnswer
  const wish = { scopes: [], resource: undefined, audience: undefined }
  const thrown = await clientCredentials({ http, server, nowMs: NOW_MS }, wish).catch(
    (error: unknown) => error,
  )
  if (thrown instanceof UpstreamError) return thrown
  throw thrown
}

const TIMES: [header: string | undefined, seconds: number][] = [
  [undefined, 5],
  ['7', 7],
  ['0', 0],
  ['Sun, 01 Mar 2026 12:00:30 GMT', 30],
  ['Sunday, 01-Mar-26 12:00:30 GMT', 30],
  ['Sun Mar  1 12:00:30 2026', 30],
  ['Sun, 01 Mar 2026 12:00:00 GMT', 0],
  ['Sun, 01 Mar 2026 11:59:00 GMT', 5],
  ['Tue, 01 Mar 2050 12:00:00 GMT', 86_400],
  ['999999', 86_400],
  ['soon', 5],
  ['-3', 5],
  ['2026-03-01T12:00:30Z', 5],
  ['Sun, 01 Foo 2026 12:00:30 GMT', 5],
]
for (const [header, seconds] of TIMES)
  test(`Retry-After: ${header ?? 'none'}: ${seconds} s`, async () => {
    const headers = { ...(header !== undefined && { 'retry-after': header }) }
    for (const status of [429, 503]) {
      const error = await refused(status, headers, { error: 'slow_down' })
      assert.equal([error.fault, error.retryAfterSeconds], ['unavailable', seconds])
    }
  })

for (const [status, code] of [
  [403, 'access_denied'],
  [400, 'invalid_grant'],
] as const)
  test(`${code} to client credentials: the log names the server, the client and the words, and no secret`, async () => {
    const { fault, detail } = await refused(status, {}, { error: code, error_description: 'between-servers' })
    assert.is(fault, 'credential_refused')
    assert.equal(detail, {
      upstreamError: code,
      upstreamStatus: status,
      authorizationServer: 'as.example:8443',
      upstreamClient: 'gateway',
    })
  })

test('a server that chose an endless id for the gateway does not fill the log', async () => {
  const server = { ...SERVER, clientId: 'x'.repeat(5_000) }
  const { detail } = await refused(400, {}, { error: 'invalid_grant' }, server)
  assert.is(String(detail.upstreamClient).length, 200)
})

const OPERATORS = ['invalid_client', 'unauthorized_client', 'invalid_request']
test('whose mistake the operator has to mend, and at which server, is told', async () => {
  for (const error of OPERATORS) {
    const { detail } = await refused(400, {}, { error })
    assert.equal(detail.upstreamClient, SERVER.clientId, error)
    assert.equal(detail.authorizationServer, new URL(SERVER.tokenEndpoint).host, error)
  }
})

const TROUBLE: [status: number, codes: readonly string[]][] = [
  [429, [...OPERATORS, 'access_denied', 'invalid_grant']],
  [500, [...OPERATORS, 'access_denied', 'invalid_grant']],
  [503, [...OPERATORS, 'access_denied', 'invalid_grant']],
]
for (const [status, codes] of TROUBLE)
  test(`${status}: a server in trouble refuses nobody, whatever it writes`, async () => {
    for (const error of codes) assert.is((await refused(status, {}, { error })).fault, 'unavailable', error)
  })

test.run()
