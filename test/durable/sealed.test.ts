// What somebody has who has the store: nothing that opens anything, and nothing that can be put elsewhere in it.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { Subject } from '../../src/slots.ts'
import { openEmbeddedStore } from '../../src/store/embedded.ts'
import { indexes, type Link } from '../../src/store/records.ts'
import type { Store } from '../../src/store/store.ts'
import { Client, callMcp, tokensOf } from '../security/client.ts'
import { ATTACKER, newBrowser, obtainTokens, PASSWORD_HASHES, TWO_USERS, VICTIM } from '../security/world.ts'
import type { Browser } from '../support/browser.ts'
import { startDiscoveryUpstream } from '../support/discovery-upstream.ts'
import { startGateway, type TestGateway, USER } from '../support/gateway.ts'
import { startGithub } from '../support/github.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute } from '../support/yaml.ts'

const test = suite('durable/sealed')

/** Every file of the state folder but those that are secrets by their very purpose. */
async function storedBytes({ folder }: TestGateway): Promise<string> {
  const entries = await readdir(join(folder, 'state'), { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && !/\.key$|password$/.test(entry.name))
  assert.ok(files.some(({ name }) => name === 'data.mdb'))
  const texts = await Promise.all(
    files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'latin1')),
  )
  return texts.join('\n')
}

const spellings = (secret: string) => [
  secret,
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('base64url'),
  Buffer.from(secret).toString('hex'),
]

function cookiesOf(browser: Browser, url: string): string[] {
  const header = browser.cookies.header({ url: new URL(url), method: 'GET', crossSite: false }) ?? ''
  return header.split('; ').map((cookie) => cookie.split('=')[1]?.split('.').at(-1) ?? '')
}

test('sec-S1: after a whole life, registration and refreshes at the upstream included, the store holds no secret', async (context) => {
  const tokens = new Map<string, string>()
  const upstream = await startDiscoveryUpstream({ tokens })
  context.after(() => upstream.close())
  upstream.knobs.registration = { client_secret: 'secret-at-the-upstream' }
  const gateway = await startGateway({ yaml: document(`\n  demo: { upstream: ${upstream.mcpUrl} }\n`) })
  context.after(() => gateway.close())
  const client = await Client.register(gateway.url, { token_endpoint_auth_method: 'client_secret_basic' })
  const browser = newBrowser()
  const { tokens: first, code, trip } = await obtainTokens({ client, browser, person: USER })
  const [firstToken = ''] = tokens.keys()
  tokens.delete(firstToken)
  assert.is((await callMcp(`${gateway.url}/demo`, first.access)).status, 200, 'refreshed at the upstream')
  const second = tokensOf(await client.refresh(first.refresh))
  const third = tokensOf(await client.refresh(second.refresh))

  const [exchange, renewal] = upstream.recorder.to('POST /token')
  const own = [
    ...[first, second, third].flatMap(({ access, refresh }) => [access, refresh]),
    code,
    trip.verifier,
  ]
  const secrets = [
    ...own.map((token) => token.split('.').at(-1) ?? ''),
    ...cookiesOf(browser, gateway.url),
    ...[...tokens.keys(), firstToken].flatMap((token) => [token, `r-${token}`]),
    ...[exchange?.form.get('code'), exchange?.form.get('code_verifier'), renewal?.form.get('refresh_token')],
    upstream.recorder.to('/authorize')[0]?.query.get('state')?.split('.')[1],
    client.secret,
    'secret-at-the-upstream',
    USER.password,
  ]
  const bytes = await storedBytes(gateway)
  assert.ok(bytes.includes('users/gateway_user'), 'the records are in what is searched')
  assert.ok(secrets.length > 15)
  for (const [at, secret] of secrets.entries()) {
    assert.ok(secret !== undefined && secret !== null && secret.length >= 8, `secret ${at} is one`)
    for (const spelling of spellings(secret))
      assert.not.ok(bytes.includes(spelling), `secret ${at} is in the store`)
  }
})

/** Write access to the store, and to nothing else. */
async function intruder({ after }: TestContext, { folder }: TestGateway): Promise<Store> {
  const store = await openEmbeddedStore(join(folder, 'state', 'store'), Date.now)
  after(() => store.close())
  return store
}

async function linksOf(store: Store, { username }: { username: string }): Promise<string[]> {
  const keys: string[] = []
  for await (const key of store.list(indexes.bySubject(`users/${username}` as Subject))) {
    if (key.startsWith('link/')) keys.push(key)
  }
  return keys
}

/** Copies what is sealed in one record into another, and nothing else. */
async function graft(store: Store, from: string, to: string): Promise<void> {
  const [source, target] = [await store.get<Link>(from), await store.get<Link>(to)]
  if (source === undefined || target === undefined) throw new Error('nothing to copy')
  await store.put(to, { ...target.value, sealed: source.value.sealed })
}

test("sec-S2: one person's sealed link in another's record opens nothing, and the upstream hears nothing", async (context) => {
  const github = await startGithub()
  context.after(() => github.close())
  const gateway = await startGateway({
    yaml: document(githubRoute('github', github)) + TWO_USERS,
    env: { ...githubEnv(github), ...PASSWORD_HASHES },
  })
  context.after(() => gateway.close())
  const url = `${gateway.url}/github`
  const client = await Client.register(gateway.url)
  github.knobs.login = 'victim-at-github'
  const { tokens: victim } = await obtainTokens({ client, person: VICTIM })
  github.knobs.login = 'attacker-at-github'
  const { tokens: attacker } = await obtainTokens({ client, person: ATTACKER })
  assert.is((await callMcp(url, attacker.access)).status, 200)

  const store = await intruder(context, gateway)
  const [[from = ''], [to = '']] = [await linksOf(store, VICTIM), await linksOf(store, ATTACKER)]
  await graft(store, from, to)
  const before = github.recorder.count()
  assert.is((await callMcp(url, attacker.access)).status, 401)
  const refused = await client.refresh(attacker.refresh)
  assert.equal([refused.status, refused.body.error], [400, 'invalid_grant'])
  assert.is(github.recorder.count(), before, 'the upstream saw nothing')
  assert.is((await callMcp(url, victim.access)).status, 200)
  const { tokens: again } = await obtainTokens({ client, person: ATTACKER })
  assert.is((await callMcp(url, again.access)).status, 200, 'signing in again mends it')
})

test("sec-S2: a person's link of one upstream in the place of another's opens nothing, and neither hears of it", async (context) => {
  const [one, two] = [await startGithub(), await startGithub({ clientId: 'Iv1.second' })]
  context.after(() => one.close())
  context.after(() => two.close())
  const gateway = await startGateway({
    yaml: document(githubRoute('one', one), githubRoute('two', two)),
    env: githubEnv(one),
  })
  context.after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const store = await intruder(context, gateway)
  const signIn = (name: string) =>
    obtainTokens({ client, person: USER, overrides: { resource: `${gateway.url}/${name}` } })
  await signIn('one')
  const [from = ''] = await linksOf(store, USER)
  const { tokens } = await signIn('two')
  const to = (await linksOf(store, USER)).find((key) => key !== from) ?? ''
  await graft(store, from, to)
  const counts = () => [one.recorder.count(), two.recorder.count()]
  const before = counts()
  assert.is((await callMcp(`${gateway.url}/two`, tokens.access)).status, 401)
  assert.equal(counts(), before)
})

test.run()
