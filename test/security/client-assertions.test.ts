// Client assertions of a document client: whoever hosts a document can sign as many as it likes. One that leads to
// nothing costs no record, and one that leads to something does so once.
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import * as assert from 'uvu/assert'
import { mintGrantId, mintToken } from '../../src/oauth/tokens.ts'
import { openEnvironment } from '../../src/store/environment.ts'
import { statePaths } from '../../src/store/state-folder.ts'
import { startClientHost } from '../support/client-host.ts'
import { startGateway } from '../support/gateway.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, openRoute } from '../support/yaml.ts'
import { type Answer, Client, callTool, postForm, type Tokens, tokensOf } from './client.ts'
import { documentClient, documentCode, REDIRECT } from './document-world.ts'
import { assertRefused } from './world.ts'

const test = suite('security/client-assertions')
const AT_ONCE = 20

async function startScene({ after }: TestContext) {
  const host = await startClientHost(REDIRECT)
  after(() => host.close())
  const upstream = await startMcpServer()
  after(() => upstream.close())
  const rules = 'clients: { cimd: { allow_private_hosts: [127.0.0.1] } }\n'
  const gateway = await startGateway({ yaml: rules + document(openRoute('open', upstream)) })
  after(() => gateway.close())
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  host.publish({
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [await exportJWK(publicKey)] },
  })
  const { url, folder } = gateway
  const client = documentClient(url, host)
  const sign = () =>
    new SignJWT({ jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(host.id)
      .setSubject(host.id)
      .setAudience(url)
      .setExpirationTime('60s')
      .sign(privateKey)
  const post = (path: string, assertion: string, form: Record<string, string>) =>
    postForm(`${url}${path}`, {
      ...form,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    })
  const redeem = (assertion: string, { code, verifier }: { code: string; verifier: string }) =>
    post('/token', assertion, { grant_type: 'authorization_code', code, code_verifier: verifier })
  return {
    url,
    upstream,
    sign,
    post,
    redeem,
    refresh: (assertion: string, token: string) =>
      post('/token', assertion, { grant_type: 'refresh_token', refresh_token: token }),
    signIn: () => documentCode(client),
    tokens: async (): Promise<Tokens> => tokensOf(await redeem(await sign(), await documentCode(client))),
    sum: (access: string) => callTool(`${url}/open`, access, 'add', { a: 2, b: 3 }),
    async assertionRecords() {
      const environment = await openEnvironment(statePaths(`${folder}/state`).store)
      try {
        return [...environment.records.getKeys()].filter((key) => key.startsWith('assertion/')).length
      } finally {
        await environment.close()
      }
    },
  }
}

function assertOneTaken(answers: readonly Answer[]): Answer {
  const taken = answers.filter(({ status }) => status === 200)
  assert.is(taken.length, 1)
  for (const answer of answers) if (answer.status !== 200) assertRefused(answer, 'invalid_client')
  return taken[0] as Answer
}

const times = <T>(work: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: AT_ONCE }, (_, index) => work(index)))

test('sec-R2: an assertion that leads to nothing leaves no record and is not used up; one that led to something is used up everywhere', async (context) => {
  const { url, upstream, sign, post, redeem, signIn, sum, assertionRecords } = await startScene(context)
  const unused = await sign()
  const code = mintToken('code', mintGrantId())
  const other = await Client.register(url, { redirect_uris: [REDIRECT] })
  const foreign = await documentCode(other)
  for (let round = 0; round < 10; round++) {
    assertRefused(await redeem(await sign(), { code, verifier: 'v' }), 'invalid_grant')
    assertRefused(await redeem(await sign(), foreign), 'invalid_grant')
    assertRefused(await post('/token', await sign(), { grant_type: 'other' }), 'unsupported_grant_type')
    assert.equal((await post('/introspect', await sign(), { token: 'x' })).body, { active: false })
    assert.is((await post('/revoke', await sign(), { token: 'x' })).status, 200)
    assertRefused(await redeem(unused, { code, verifier: 'v' }), 'invalid_grant')
  }
  assert.is(await assertionRecords(), 0)
  assert.is(upstream.recorder.count(), 0)
  assert.is((await other.redeem(foreign.code, foreign.verifier)).status, 200)

  const { access } = tokensOf(await redeem(unused, await signIn()))
  assert.match(await sum(access), '5')
  assert.is(await assertionRecords(), 1)
  for (const path of ['/token', '/introspect', '/revoke'])
    assertRefused(await post(path, unused, { grant_type: 'other', token: 'x' }), 'invalid_client', path)
  assertRefused(await post('/revoke', unused, { token: access }), 'invalid_client')
  assert.match(await sum(access), '5')
})

test('sec-R8: of many requests at once with one assertion one is served, and the codes and tokens of the others stay good', async (context) => {
  const { sign, redeem, refresh, signIn, tokens, sum } = await startScene(context)
  const codes = [await signIn(), await signIn()] as const
  const assertion = await sign()
  const redeemed = await times(async (index) => {
    const { code, verifier } = codes[index % 2] ?? codes[0]
    return { code, answer: await redeem(assertion, { code, verifier }) }
  })
  assertOneTaken(redeemed.map(({ answer }) => answer))
  const served = redeemed.find(({ answer }) => answer.status === 200)?.code
  const left = codes.find(({ code }) => code !== served) ?? codes[0]
  assert.match(await sum(tokensOf(await redeem(await sign(), left)).access), '5')

  const families = [await tokens(), await tokens()] as const
  const again = await sign()
  // All of them would be served the same pair, were it not for the assertion.
  const { access } = tokensOf(
    assertOneTaken(await times((index) => refresh(again, (families[index % 2] ?? families[0]).refresh))),
  )
  assert.match(await sum(access), '5')
  for (const family of families)
    assert.match(await sum(tokensOf(await refresh(await sign(), family.refresh)).access), '5')
})

test('sec-R8: one assertion tells of one token and revokes one token, however many are asked about at once', async (context) => {
  const { sign, post, tokens, sum } = await startScene(context)
  const both = [await tokens(), await tokens()] as const
  const tokenOf = (index: number) => (both[index % 2] ?? both[0]).access
  const asking = await sign()
  const told = assertOneTaken(await times((index) => post('/introspect', asking, { token: tokenOf(index) })))
  assert.is(told.body.active, true)

  const revoking = await sign()
  assertOneTaken(await times((index) => post('/revoke', revoking, { token: tokenOf(index) })))
  const living = await Promise.allSettled(both.map(({ access }) => sum(access)))
  assert.equal(living.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})

test.run()
