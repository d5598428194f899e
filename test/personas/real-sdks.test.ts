// Both TypeScript SDKs as they are, where the gateway tells them to start over: what they drop, and that the person ends
// up signed in.
import * as assert from 'uvu/assert'
import { connectV1, connectV2 } from '../support/clients.ts'
import { DiscoveringProvider, MemoryProvider } from '../support/oauth-provider.ts'
import { suite } from '../support/suite.ts'
import { PERSONAS } from './clients/index.ts'
import { deadRegistration } from './dead-registration.ts'
import { type Scene, startScene } from './scene.ts'

const test = suite('personas/real-sdks')

let scene: Scene
test.before(async () => {
  scene = await startScene([], 6)
})
test.after(() => scene.close())

const SDKS = {
  'SDK v1': {
    provider: MemoryProvider,
    connect: (url: string, provider: MemoryProvider) => connectV1(url, { provider }),
  },
  'SDK v2': {
    provider: DiscoveringProvider,
    connect: (url: string, provider: MemoryProvider) => connectV2(url, { provider, mode: 'auto' }),
  },
}
const GONE = { access_token: 'gone', token_type: 'Bearer', refresh_token: 'gone' }

for (const [name, { provider: Provider, connect }] of Object.entries(SDKS)) {
  test(`spec-C13, spec-T5: ${name} drops a registration that the gateway does not know, registers and signs in`, async ({
    after,
  }) => {
    const [persona] = PERSONAS.filter(({ registersAnew }) => registersAnew)
    if (persona === undefined) throw new Error('nobody registers anew')
    const person = scene.newPerson()
    const provider = new Provider({ person })
    const dead = await deadRegistration(persona)
    provider.saveClientInformation({ client_id: dead })
    provider.saveTokens(GONE)
    const session = await connect(scene.route('github').url, provider)
    after(() => session.close())
    assert.is(provider.signIns.length, 1)
    assert.is.not(provider.clientInfo?.client_id, dead)
    assert.is(await session.call('whoami'), person.upstreamName)
  })

  test(`spec-T5: ${name} drops tokens that are no longer good, keeps its registration and signs in again`, async ({
    after,
  }) => {
    const person = scene.newPerson()
    const first = new Provider({ person })
    await (await connect(scene.route('demo').url, first)).close()
    const { clientInfo } = first
    first.saveTokens({ ...GONE, access_token: `${first.current?.access_token}x` })
    const session = await connect(scene.route('demo').url, first)
    after(() => session.close())
    assert.is(first.signIns.length, 2)
    assert.is(first.clientInfo?.client_id, clientInfo?.client_id)
    assert.match(await session.call('whoami'), person.upstreamName)
  })

  test(`spec-T1, spec-A9: ${name} holds a sign-in for each of two routes under one registration`, async ({
    after,
  }) => {
    const person = scene.newPerson()
    const first = new Provider({ person })
    const github = await connect(scene.route('github').url, first)
    after(() => github.close())
    const second = new Provider({ person, browser: first.browser, redirectUrl: first.redirectUrl })
    if (first.clientInfo !== undefined) second.saveClientInformation(first.clientInfo)
    const demo = await connect(scene.route('demo').url, second)
    after(() => demo.close())
    assert.is(second.clientInfo?.client_id, first.clientInfo?.client_id)
    assert.is(await github.call('whoami'), person.upstreamName)
    assert.match(await demo.call('whoami'), person.upstreamName)
    await github.refresh()
    await demo.refresh()
    assert.is(await github.call('whoami'), person.upstreamName)
    assert.match(await demo.call('whoami'), person.upstreamName)
    const mine = [first, second].flatMap(({ received }) => received.map((tokens) => tokens.access_token))
    assert.is(new Set(mine).size, 4)
    for (const { recorder } of scene.routes) for (const token of mine) assert.not.ok(recorder.saw(token))
  })
}

test.run()
