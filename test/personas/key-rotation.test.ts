// A client that signs gets a new key, as its vendor does now and then, while the gateway still remembers the old one.
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import * as assert from 'uvu/assert'
import { postForm } from '../security/client.ts'
import { suite } from '../support/suite.ts'
import { chatgpt } from './clients/chatgpt.ts'
import { type Scene, startScene } from './scene.ts'
import { refresh } from './tokens.ts'
import { connect, use } from './walk.ts'

const test = suite('personas/key-rotation')

let scene: Scene
test.before(async () => {
  scene = await startScene([], 1)
})
test.after(() => scene.close())

test('spec-C4, spec-C6: a new key of a document is found at its first use; keys that nobody has are no reason to ask again', async () => {
  const [persona] = chatgpt
  if (persona?.identity.by !== 'document') throw new Error('ChatGPT has a document')
  const { path, document } = persona.identity
  const [walk, tokens] = await connect(persona, scene, scene.route('github'))
  const { id } = walk.holder.credentials
  const fetches = () => scene.host.recorder.count(path)
  const before = fetches()

  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'the next one' }]
  const body = JSON.stringify({ ...document, client_id: id, jwks: { keys } })
  scene.host.paths.set(path, { status: 200, headers: { 'content-type': 'application/json' }, body })

  scene.advance(60)
  const { endpoints } = walk.holder.found
  const sign = (kid: string, key: CryptoKey, jti: string) =>
    new SignJWT({ iss: id, sub: id, aud: endpoints.token, jti, exp: Math.floor(scene.now() / 1000) + 60 })
      .setProtectedHeader({ alg: 'RS256', kid })
      .sign(key)
  const ask = async (kid: string, jti: string) =>
    postForm(endpoints.token, {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await sign(kid, privateKey, jti),
    })
  const renewed = await ask('the next one', '1')
  assert.is(renewed.status, 200, renewed.text)
  assert.is(fetches(), before + 1)

  for (const jti of ['2', '3', '4']) {
    const { status, body: refusal } = await ask('nobody has it', jti)
    assert.equal([status, refusal.error], [401, 'invalid_client'])
  }
  assert.is(fetches(), before + 1, 'not asked again within its least lifetime')
  const old = await refresh(walk.holder, String(renewed.body.refresh_token))
  assert.equal([old.status, old.body.error], [401, 'invalid_client'], 'the key before is gone')

  const last = await ask('the next one', '5')
  const pair = { access: String(last.body.access_token), refresh: String(last.body.refresh_token) }
  await use(walk, { ...tokens, ...pair })
})

test.run()
