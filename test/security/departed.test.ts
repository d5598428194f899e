// Somebody leaves the configuration while a request of theirs is under way, and the name is given to somebody else.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { startApp } from '../../src/app.ts'
import type { Browser } from '../support/browser.ts'
import { recordingLog } from '../support/gateway.ts'
import { startGithub } from '../support/github.ts'
import { startKeyedUpstream } from '../support/keyed-upstream.ts'
import type { Page } from '../support/page.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute } from '../support/yaml.ts'
import { Client, callMcp, callTool } from './client.ts'
import {
  ATTACKER,
  allow,
  assertErrorPage,
  newBrowser,
  obtainTokens,
  openConsent,
  PASSWORD_HASHES,
  VICTIM,
} from './world.ts'

const test = suite('security/departed')

/** Who is called `victim` in the file. The other one has another password. */
type Called = 'nobody' | 'the victim' | 'another'
const NEW_VICTIM = { username: 'victim', password: ATTACKER.password } as const

const HASHES = { 'the victim': 'VICTIM_HASH', another: 'ATTACKER_HASH' } as const
const users = (called: Called) => `
login:
  users:
    somebody: { password_hash: "\${ATTACKER_HASH}" }
${called === 'nobody' ? '' : `    victim: { password_hash: "\${${HASHES[called]}}" }`}
`

async function startScene({ after }: TestContext) {
  const github = await startGithub()
  after(() => github.close())
  const folder = await mkdtemp(join(tmpdir(), 'departed-'))
  after(() => rm(folder, { recursive: true, force: true }))
  const yaml = (called: Called) => document(githubRoute('github', github)) + users(called)

  async function start(called: Called, port = 0) {
    const { log, lines } = recordingLog()
    const app = await startApp({
      source: { name: 'gateways.yaml', folder, text: yaml(called).replace('port: 0', `port: ${port}`) },
      env: { ...githubEnv(github), ...PASSWORD_HASHES },
      stateFolder: join(folder, 'state'),
      log,
    })
    let closing: Promise<void> | undefined
    const close = () => {
      closing ??= app.close()
      return closing
    }
    after(close)
    const reload = (next: Called) => app.reload(app.running().text.replace(users(called), users(next)))
    return { app, url: app.publicUrl, mcpUrl: `${app.publicUrl}/github`, lines, reload, close }
  }

  /** The victim has come back from the upstream, which does not answer the gateway until `release`. */
  async function redeeming({ url }: { readonly url: string }) {
    const client = await Client.register(url)
    const browser = newBrowser(github.authorizationEndpoint)
    const { trip, page } = await openConsent(browser, client)
    const door = await throughConsent(browser, page)
    browser.stopAt.pop()
    let release = () => {}
    github.knobs.hold = new Promise<void>((resolve) => {
      release = resolve
    })
    const asked = github.recorder.arrival(TOKEN, github.recorder.count(TOKEN) + 1)
    const end = browser.goto(door.sentTo ?? '')
    await asked
    return {
      client,
      browser,
      trip,
      finish: () => {
        release()
        return end
      },
    }
  }

  return { github, start, redeeming }
}
type Scene = Awaited<ReturnType<typeof startScene>>
type Process = Awaited<ReturnType<Scene['start']>>

const TOKEN = '/login/oauth/access_token'

/** Once more where the list of scopes turned out longer for who signed in. */
async function throughConsent(
  browser: Browser,
  page: Page,
  person = VICTIM as { username: string; password: string },
) {
  const next = await allow(browser, page, person)
  return next.sentTo === undefined && next.status === 200 ? allow(browser, next, person) : next
}

/** The old browser and client get nowhere, and the new person connects an account of their own. */
async function assertNothingInherited({ github }: Scene, { url, mcpUrl, lines }: Process, old: Browser) {
  const client = await Client.register(url)
  const { page } = await openConsent(old, client)
  assert.ok(page.form().has('input[type=password]'), 'the old browser is signed out')
  const fresh = newBrowser(github.authorizationEndpoint)
  const consent = await openConsent(fresh, client)
  const door = await throughConsent(fresh, consent.page, NEW_VICTIM)
  assert.is(`${door.sentTo?.origin}${door.sentTo?.pathname}`, github.authorizationEndpoint)
  github.knobs.login = 'another-account'
  const { tokens } = await obtainTokens({ client, person: NEW_VICTIM })
  assert.is(await callTool(mcpUrl, tokens.access, 'whoami'), 'another-account')
  assert.is(lines.filter(({ event }) => event === 'user forgotten').length, 0, 'nothing was left to forget')
}

test('sec-L14: who leaves while their code is redeemed at the upstream leaves no link, grant or session behind', async (context) => {
  const scene = await startScene(context)
  const before = await scene.start('the victim')
  const { browser, finish } = await scene.redeeming(before)
  await before.reload('nobody')
  assertErrorPage(await finish())
  assert.is(before.lines.filter(({ event }) => event === 'code issued').length, 0)
  await before.close()
  await assertNothingInherited(scene, await scene.start('another', before.app.port), browser)
})

test('sec-L14: the same when the name has been given to somebody else before the upstream answers', async (context) => {
  const scene = await startScene(context)
  const process = await scene.start('the victim')
  const { browser, finish } = await scene.redeeming(process)
  await process.reload('nobody')
  await process.app.reload(process.app.running().text.replace(users('nobody'), users('another')))
  assertErrorPage(await finish())
  assert.is(process.lines.filter(({ event }) => event === 'code issued').length, 0)
  process.lines.length = 0
  await assertNothingInherited(scene, process, browser)
})

test('sec-L14: the same for a process that ends on its old configuration while another serves the new one', async (context) => {
  const scene = await startScene(context)
  for (const arrival of ['before', 'after'] as const) {
    const old = await scene.start('the victim')
    const { browser, finish } = await scene.redeeming(old)
    const next = await scene.start('nobody')
    if (arrival === 'before') await next.reload('another')
    assertErrorPage(await finish())
    assert.is(old.lines.filter(({ event }) => event === 'code issued').length, 0)
    await Promise.all([old.close(), next.close()])
    await assertNothingInherited(scene, await scene.start('another', old.app.port), browser)
    scene.github.knobs.login = 'octocat'
    await (await scene.start('nobody')).close()
  }
})

test('sec-L14: who stays is not forgotten, be it that others leave during their sign-in or that the gateway starts again', async (context) => {
  const scene = await startScene(context)
  const before = await scene.start('the victim')
  const { client, trip, finish } = await scene.redeeming(before)
  await before.app.reload(before.app.running().text.replace(/ {4}somebody: .*\n/, ''))
  const { sentTo } = await finish()
  const { body } = await client.redeem(sentTo?.searchParams.get('code') ?? '', trip.verifier)
  const access = String(body.access_token)
  assert.is(await callTool(before.mcpUrl, access, 'whoami'), 'octocat')
  await before.close()
  const after = await scene.start('the victim', before.app.port)
  assert.is(await callTool(after.mcpUrl, access, 'whoami'), 'octocat')
  assert.is(after.lines.filter(({ event }) => event === 'user forgotten').length, 0)
})

test('sec-L14: who left and came back is forgotten for that, and not again at the next start', async (context) => {
  const scene = await startScene(context)
  const first = await scene.start('the victim')
  const client = await Client.register(first.url)
  const browser = newBrowser()
  const lost = await obtainTokens({ client, browser })
  await first.close()
  const second = await scene.start('nobody', first.app.port)
  await second.close()
  const third = await scene.start('the victim', first.app.port)
  assert.is((await callMcp(third.mcpUrl, lost.tokens.access)).status, 401)
  const { tokens } = await obtainTokens({ client, browser })
  await third.close()
  const fourth = await scene.start('the victim', first.app.port)
  assert.is(await callTool(fourth.mcpUrl, tokens.access, 'whoami'), 'octocat')
})

test('sec-L14: who leaves while their pasted key is tried leaves no key behind', async (context) => {
  const upstream = await startKeyedUpstream({ in: 'header', name: 'X-API-Key' })
  context.after(() => upstream.close())
  const folder = await mkdtemp(join(tmpdir(), 'departed-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const route = `version: 1
server: { port: 0 }
routes:
  keyed: { upstream: "${upstream.mcpUrl}", auth: { type: user_api_key, in: header, name: X-API-Key } }
`
  const { log, lines } = recordingLog()
  const app = await startApp({
    source: { name: 'gateways.yaml', folder, text: route + users('the victim') },
    env: PASSWORD_HASHES,
    stateFolder: join(folder, 'state'),
    log,
  })
  context.after(() => app.close())
  const client = await Client.register(app.publicUrl)
  const browser = newBrowser()
  const { page } = await openConsent(browser, client)
  const keyPage = await allow(browser, page)
  let release = () => {}
  upstream.knobs.hold = new Promise<void>((resolve) => {
    release = resolve
  })
  const tried = upstream.recorder.arrival('/mcp')
  const end = browser.submit(keyPage.form(), { key: 'key-of-victim' }, { button: 'Connect' })
  await tried
  await app.reload(route + users('nobody'))
  await app.reload(route + users('another'))
  release()
  assertErrorPage(await end)
  assert.is(lines.filter(({ event }) => event === 'code issued').length, 0)
  const fresh = newBrowser()
  const { tokens } = await obtainTokens({
    client,
    browser: fresh,
    person: { ...NEW_VICTIM, key: 'key-of-attacker' },
  })
  assert.is(await callTool(`${app.publicUrl}/keyed`, tokens.access, 'whoami'), 'attacker at the upstream')
  await app.reload(`${route}x-note: nobody left\n${users('another')}`)
  assert.is(await callTool(`${app.publicUrl}/keyed`, tokens.access, 'whoami'), 'attacker at the upstream')
})

test.run()
