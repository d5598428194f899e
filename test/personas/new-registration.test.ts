// Clients whose registration this gateway did not make, or made under a key that it has lost.
import * as assert from 'uvu/assert'
import { Browser } from '../support/browser.ts'
import { suite } from '../support/suite.ts'
import { PERSONAS } from './clients/index.ts'
import { deadRegistration } from './dead-registration.ts'
import { type Scene, startScene } from './scene.ts'
import { connect, startOver } from './walk.ts'

const test = suite('personas/new-registration')
const RENEWING = PERSONAS.filter(({ registersAnew }) => registersAnew)

let scene: Scene
test.before(async () => {
  scene = await startScene(PERSONAS, 2 * RENEWING.length + 1)
})
test.after(() => scene.close())

for (const persona of RENEWING) {
  test(`spec-C13, spec-T5: ${persona.name} meets invalid_client with a new registration, and signs in`, async () => {
    const [walk, tokens] = await connect(persona, scene, scene.route('github'))
    await startOver(walk, tokens, await deadRegistration(persona))
  })
}

test('spec-C13, spec-A5: a client that keeps its dead registration leads its person to a page that says what to do', async () => {
  const [persona] = RENEWING
  if (persona === undefined) throw new Error('nobody registers anew')
  const { recorder } = scene.route('github')
  const before = recorder.count()
  const url = new URL(`${scene.gateway.url}/authorize`)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: await deadRegistration(persona),
    redirect_uri: persona.redirectUri,
    code_challenge: 'a'.repeat(43),
    code_challenge_method: 'S256',
  }).toString()
  const page = await new Browser({ stopAt: [persona.redirectUri] }).goto(url)
  assert.is(page.status, 400)
  assert.is(page.sentTo, undefined)
  assert.match(page.text, 'Remove the server from your client and add it again')
  assert.is(recorder.count(), before)
  await connect(persona, scene, scene.route('github'))
})

test.run()
