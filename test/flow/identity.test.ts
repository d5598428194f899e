// Identity headers and assertions on the wire: what upstreams learn of the caller, whatever the client says itself.
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as assert from 'uvu/assert'
import { OVERLAP_MS } from '../../src/store/signing-keys.ts'
import { Client, callMcp, send } from '../security/client.ts'
import { ATTACKER, newBrowser, obtainTokens, PASSWORD_HASHES, VICTIM } from '../security/world.ts'
import { startGateway } from '../support/gateway.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('flow/identity')

async function start({ after }: TestContext, identity: string, more = '') {
  const upstream = await startMcpServer()
  after(() => upstream.close())
  const yaml = `version: 1
server: { port: 0 }
login:
  users:
    victim: { password_hash: "\${VICTIM_HASH}", email: victim@example.com, groups: ["a,b", "c"] }
    attacker: { password_hash: "\${ATTACKER_HASH}" }
routes:
  told:
    upstream: { url: "${upstream.url}"${more} }
    auth: none
    identity: ${identity}
`
  const gateway = await startGateway({ yaml, env: PASSWORD_HASHES })
  after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const accessOf = async (person: typeof VICTIM | typeof ATTACKER) =>
    (await obtainTokens({ client, browser: newBrowser(), person })).tokens.access
  const [victim, attacker] = [await accessOf(VICTIM), await accessOf(ATTACKER)]
  /** The headers that the upstream received. */
  const told = async (access: string, headers: Record<string, string> = {}) => {
    assert.is((await callMcp(`${gateway.url}/told`, access, undefined, headers)).status, 200)
    return upstream.recorder.requests.at(-1)?.headers ?? {}
  }
  return { upstream, gateway, client, victim, attacker, told }
}

test('headers say who calls; a client’s own copies never pass, also where there is no value', async (context) => {
  const { client, victim, attacker, told } = await start(
    context,
    '{ headers: { X-User: subject, X-Email: email, X-Groups: groups, X-Client: client_id } }',
    ', forward_headers: [X-Toolsets]',
  )
  const spoofed = {
    'x-user': 'users/victim',
    'X-EMAIL': 'boss@example.com',
    'x-groups': 'admins',
    x_user: 'users/victim',
    'x-toolsets': 'all',
  }
  const mine = await told(victim, spoofed)
  assert.equal(
    [mine['x-user'], mine['x-email'], mine['x-groups'], mine['x-client']],
    ['users/victim', 'victim@example.com', 'a%2Cb,c', client.id],
  )
  const theirs = await told(attacker, spoofed)
  assert.equal(
    [theirs['x-user'], theirs['x-email'], theirs['x-groups'], theirs.x_user],
    ['users/attacker', undefined, undefined, undefined],
  )
  assert.is(theirs['x-toolsets'], 'all', 'what may pass still does')
})

test('a header that the upstream takes for one of ours does not pass beside it', async (context) => {
  const { victim, attacker, told } = await start(
    context,
    '{ headers: { User_Agent: email, X_User: subject } }',
  )
  const spoofed = { 'user-agent': 'boss@example.com', 'x-user': 'users/boss' }
  const names = ['user_agent', 'user-agent', 'x_user', 'x-user']
  const mine = await told(victim, spoofed)
  assert.equal(
    names.map((name) => mine[name]),
    ['victim@example.com', undefined, 'users/victim', undefined],
  )
  const theirs = await told(attacker, spoofed)
  assert.equal(
    names.map((name) => theirs[name]),
    [undefined, undefined, 'users/attacker', undefined],
    'also where there is no value',
  )
})

test('whoever caches the published keys knows a new one before it signs', async (context) => {
  const { gateway } = await start(context, '{ assertion: {} }')
  const { headers } = await fetch(`${gateway.url}/.well-known/jwks.json`)
  const maxAge = /^public, max-age=(\d+)$/.exec(headers.get('cache-control') ?? '')?.[1]
  assert.ok(Number(maxAge) * 1_000 < OVERLAP_MS, maxAge)
})

test('an assertion is verified by the published keys alone, and is another one each time', async (context) => {
  const { upstream, gateway, victim, told } = await start(context, '{ assertion: { ttl: 30s } }')
  const keys = createRemoteJWKSet(new URL(`${gateway.url}/.well-known/jwks.json`))
  const seen = new Set<unknown>()
  for (let count = 0; count < 2; count += 1) {
    const headers = await told(victim, { 'x-gateway-identity': 'forged' })
    const { payload, protectedHeader } = await jwtVerify(String(headers['x-gateway-identity']), keys, {
      issuer: gateway.url,
      audience: upstream.url,
      typ: 'gateway-identity+jwt',
      algorithms: ['ES256'],
    })
    assert.is(payload.sub, 'users/victim')
    assert.equal([payload.email, payload.groups, payload.route], ['victim@example.com', ['a,b', 'c'], 'told'])
    assert.is((payload.exp ?? 0) - (payload.iat ?? 0), 30)
    assert.ok(protectedHeader.kid)
    seen.add(payload.jti)
  }
  assert.is(seen.size, 2)
})

test('the published keys hold no private part', async (context) => {
  const { gateway } = await start(context, '{ assertion: { ttl: 60s } }')
  const { status, body, text } = await send(`${gateway.url}/.well-known/jwks.json`)
  assert.is(status, 200)
  const [key] = body.keys as Record<string, unknown>[]
  assert.equal([key?.kty, key?.crv, key?.alg, key?.use], ['EC', 'P-256', 'ES256', 'sig'])
  assert.not.match(text, '"d"')
})

test('a signed assertion is no token of the gateway', async (context) => {
  const { upstream, gateway, victim, told } = await start(context, '{ assertion: { ttl: 60s } }')
  const assertion = String((await told(victim))['x-gateway-identity'])
  const asked = upstream.recorder.count()
  assert.is((await callMcp(`${gateway.url}/told`, assertion)).status, 401)
  assert.is(upstream.recorder.count(), asked)
})

test.run()
