// Whether a token endpoint still knows the gateway: only its own word for it counts.
import * as assert from 'uvu/assert'
import type { ControlAnswer, ControlHttp } from '../../src/upstream/http.ts'
import { isForgotten } from '../../src/upstream/known-client.ts'
import type { UpstreamServer } from '../../src/upstream/server.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/known-client')
const SERVER: UpstreamServer = {
  issuer: 'https://as.example',
  issParameterSupported: false,
  authorizationEndpoint: 'https://as.example/authorize',
  tokenEndpoint: 'https://as.example/token',
  trust: 'configured',
  clientId: 'gateway',
  clientSecret: undefined,
  authMethod: 'none',
  authorizationParameters: {},
  redirectUri: 'https://gw.example/upstream/callback/as',
}
const answering =
  (status: number, error: string): ControlHttp =>
  async () =>
    ({ status, headers: {}, body: Buffer.from(JSON.stringify({ error })) }) as ControlAnswer

const ANSWERS: [status: number, error: string, isGone: boolean][] = [
  [401, 'invalid_client', true],
  [400, 'invalid_client', true],
  [429, 'invalid_client', false],
  [503, 'invalid_client', false],
  [400, 'invalid_grant', false],
  [400, 'unauthorized_client', false],
  [404, '', false],
]
for (const [status, error, isGone] of ANSWERS)
  test(`${status} ${error}: ${isGone ? 'forgotten' : 'known'}`, async () => {
    assert.is(await isForgotten(answering(status, error), SERVER, 0), isGone)
  })

test('RFC 9207: a server that marks its answers as its own can have forgotten the gateway too', async () => {
  const server = { ...SERVER, issParameterSupported: true }
  assert.is(await isForgotten(answering(401, 'invalid_client'), server, 0), true)
})

test('a fault of our own drops no registration', async () => {
  const broken: ControlHttp = async () => {
    throw new RangeError('ours')
  }
  const thrown = await isForgotten(broken, SERVER, 0).catch((error: unknown) => error)
  assert.instance(thrown, RangeError)
})

test.run()
