// Whatever is asked at a well-known address, and however: JSON, 200 or 404, for anybody (spec-D12). Preflights have no body.
// And what stands beside registration: nothing, since RFC 7592 is not offered.
import * as assert from 'uvu/assert'
import { Client, postJson, send } from '../security/client.ts'
import { obtainTokens, startWorld, stillWorks, withoutUpstream } from '../security/world.ts'
import { suite } from '../support/suite.ts'

const test = suite('flow/well-known')

const PATHS = [
  '/.well-known/oauth-authorization-server',
  '/.well-known/oauth-authorization-server/github',
  '/.well-known/openid-configuration',
  '/.well-known/oauth-protected-resource',
  '/.well-known/oauth-protected-resource/github',
  '/.well-known/oauth-protected-resource/nobody',
  '/.well-known/jwks.json',
  '/.well-known/oauth-client/github',
  '/.well-known/oauth-client/nobody',
  '/.well-known/oauth-authorization-server?x=%00&x=1',
  '/.well-known/a%0d%0ab',
]
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

const SENDERS: Readonly<Record<string, RequestInit>> = {
  nobody: {},
  'a browser elsewhere': { headers: { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' } },
  'somebody with a bad token': { headers: { authorization: 'Bearer at_0.0' } },
  'somebody with Basic': { headers: { authorization: 'Basic eDp5', accept: 'text/html' } },
}

test('spec-D12: by every method, with every header: JSON, 200 or 404, and never a challenge, a cookie or a redirect', async (context) => {
  const world = await startWorld(context)
  await withoutUpstream(world, async () => {
    for (const path of PATHS) {
      for (const method of METHODS) {
        const hasBody = !['GET', 'HEAD'].includes(method)
        for (const [who, init] of Object.entries(SENDERS)) {
          const body = hasBody ? 'x'.repeat(100_000) : undefined
          const answer = await send(world.url + path, { ...init, method, ...(body && { body }) })
          const label = `${method} ${path}, ${who}`
          assert.ok([200, 404].includes(answer.status), `${label}: ${answer.status}`)
          assert.ok(method === 'GET' || answer.status === 404, label)
          assert.match(answer.headers.get('content-type') ?? '', /^application\/json/, label)
          for (const name of ['www-authenticate', 'set-cookie', 'location'])
            assert.is(answer.headers.get(name), null, `${label}: ${name}`)
          if (method !== 'HEAD') assert.type(JSON.parse(answer.text), 'object')
        }
      }
      const preflight = await send(world.url + path, { method: 'OPTIONS' })
      assert.ok([204, 404].includes(preflight.status), `OPTIONS ${path}: ${preflight.status}`)
      assert.is(preflight.headers.get('www-authenticate'), null)
    }
  })
  await stillWorks(world)
})

test('spec-C1: documents of clients are advertised together with the method none, or not at all', async (context) => {
  const world = await startWorld(context)
  const read = async () => (await send(world.url + PATHS[0])).body
  const offered = await read()
  assert.is(offered.client_id_metadata_document_supported, true)
  assert.ok((offered.token_endpoint_auth_methods_supported as string[]).includes('none'))
  const { app } = world.gateway
  await app.reload(`${app.running().text}\nclients: { cimd: { enabled: false } }\n`)
  const withdrawn = await read()
  assert.is(withdrawn.client_id_metadata_document_supported, false)
  const page = await send(
    (await Client.register(world.url)).trip({ client_id: 'https://client.test/c.json' }).url,
  )
  assert.is(page.status, 400)
})

test('spec-C9, spec-C10: application_type is told back as it was registered; what is none is left out, and so is none', async (context) => {
  const world = await startWorld(context)
  for (const [sent, told] of [
    ['native', 'native'],
    ['web', 'web'],
    ['service', undefined],
    [7, undefined],
    [undefined, undefined],
  ]) {
    const metadata = { redirect_uris: ['http://127.0.0.1/cb'], token_endpoint_auth_method: 'none' }
    const { status, body } = await postJson(`${world.url}/register`, { ...metadata, application_type: sent })
    assert.equal([sent, status, body.application_type], [sent, 201, told])
  }
})

test('spec-C9: a registration cannot be read, changed or deleted afterwards (RFC 7592), and no answer says that it could', async (context) => {
  const world = await startWorld(context)
  const { body } = await postJson(`${world.url}/register`, {
    redirect_uris: ['https://client.test/cb'],
    token_endpoint_auth_method: 'client_secret_basic',
  })
  for (const member of ['registration_access_token', 'registration_client_uri'])
    assert.not.ok(member in body, member)
  const client = new Client(world.url, body)
  const { id, secret = '' } = client
  await withoutUpstream(world, async () => {
    for (const path of [`/register/${id}`, `/register?client_id=${id}`]) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' }
        const sent =
          method === 'PUT'
            ? { body: JSON.stringify({ ...body, redirect_uris: ['https://evil.test/cb'] }) }
            : {}
        const answer = await send(world.url + path, { method, headers, ...sent })
        assert.equal([method, path, answer.status, answer.body.error], [method, path, 404, 'not_found'])
      }
    }
  })
  await obtainTokens({ client })
})

test.run()
