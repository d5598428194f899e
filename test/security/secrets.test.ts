// One run over everything the gateway does, with secrets that would be recognised anywhere: in no log line, in no file,
// and in no answer but the one that is meant to carry them.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { startMcpServer } from '../support/mcp-server.ts'
import type { Page } from '../support/page.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute } from '../support/yaml.ts'
import { type Answer, Client, callMcp, callTool, postForm, postJson, send, tokensOf } from './client.ts'
import { startWiretap } from './wiretap.ts'
import {
  allow,
  deny,
  doorstepBrowser,
  newBrowser,
  openConsent,
  PASSWORD_HASHES,
  startWorld,
  TWO_USERS,
  VICTIM,
  type World,
} from './world.ts'

const test = suite('security/secrets')

type Context = Parameters<typeof startWorld>[0]

const KEYS = {
  HEADER_KEY: 'canary-api-key-in-a-header',
  QUERY_KEY: 'canary-api-key-in-a-query',
  FIXED: 'canary-fixed-upstream-header',
}
const WRONG_PASSWORD = 'canary-wrong-password'
const STATE = 'canary-state-of-the-client'

const keyRoute = (name: string, url: string, place: string, key: string) => `
  ${name}:
    upstream: { url: "${url}", headers: { X-Fixed: "\${FIXED}" } }
    auth: { type: api_key, in: ${place}, name: x-key, value: "\${${key}}" }
`

async function startTapped(context: Context) {
  const tap = await startWiretap()
  context.after(() => tap.close())
  const server = await startMcpServer()
  context.after(() => server.close())
  const world = await startWorld(context, {
    env: KEYS,
    yaml: (github) =>
      document(
        githubRoute('github', github),
        keyRoute('header', server.url, 'header', 'HEADER_KEY'),
        keyRoute('query', server.url, 'query', 'QUERY_KEY'),
        keyRoute('dead', 'http://127.0.0.1:1/mcp', 'query', 'QUERY_KEY'),
      ).replace('{ port: 0 }', `{ port: 0, public_url: "${tap.url}" }`) + TWO_USERS,
  })
  tap.attach(world.gateway.app.port)
  return { tap, world, server }
}

/** What was secret in the run, by where it may be told to a client. */
interface Secrets {
  nowhere: Record<string, string>
  /** Only where what stands before it matches this. */
  inPlace: Record<string, [secret: string, place: RegExp]>
  /** In the pages that carry them to send them back. */
  inForms: Record<string, string>
}

/** Every endpoint, every way in, every kind of refusal. */
async function everything(world: World): Promise<Secrets> {
  const secrets: Secrets = {
    nowhere: {
      'the password': VICTIM.password,
      'a wrong password': WRONG_PASSWORD,
      ...PASSWORD_HASHES,
      ...KEYS,
    },
    inPlace: {},
    inForms: {},
  }
  const resource = world.mcpUrl
  for (const method of ['none', 'client_secret_basic', 'client_secret_post'] as const) {
    const client = await Client.register(world.url, { token_endpoint_auth_method: method })
    if (client.secret !== undefined)
      secrets.inPlace[`the secret of ${method}`] = [client.secret, /"client_secret":"$/]
    const browser = doorstepBrowser(world)
    const { trip, page } = await openConsent(browser, client, { resource, state: STATE + method })
    const refused = await browser.submit(page.form(), { username: VICTIM.username, password: WRONG_PASSWORD })
    const door = await allow(browser, refused)
    browser.stopAt.pop()
    const end = door.sentTo?.href.startsWith(world.github.authorizationEndpoint)
      ? await browser.goto(door.sentTo)
      : door
    const code = end.sentTo?.searchParams.get('code') ?? ''
    const first = tokensOf(await client.redeem(code, trip.verifier))
    assert.is(await callTool(resource, first.access, 'whoami'), 'octocat')
    const second = tokensOf(await client.refresh(first.refresh))
    tokensOf(await client.refresh(first.refresh))
    await client.refresh(second.refresh, { resource: 'https://evil.test' })
    await endings(world, client, second.access, second.refresh)
    await refusals(world, client, code)
    await deny(browser, (await openConsent(browser, client, { resource })).page)
    secrets.nowhere[`the verifier of ${method}`] = trip.verifier
    secrets.inPlace[`the code of ${method}`] = [code, /[?&]code=$/]
    secrets.inPlace[`the access token of ${method}`] = [first.access, /"access_token":"$/]
    secrets.inPlace[`the refresh token of ${method}`] = [first.refresh, /"refresh_token":"$/]
    Object.assign(secrets.inForms, formSecrets(method, [page, refused]))
  }
  await otherRoutes(world)
  return { ...secrets, nowhere: { ...secrets.nowhere, ...upstreamSecrets(world) } }
}

function formSecrets(label: string, pages: Page[]): Record<string, string> {
  const fields = pages.flatMap((page) => Object.entries(page.form().values))
  const secret = fields.filter(([name]) => name === 'transaction' || name === 'csrf')
  return Object.fromEntries(secret.map(([name, value], index) => [`${name} ${label} ${index}`, value]))
}

async function refusals(world: World, client: Client, code: string): Promise<void> {
  const answers: Answer[] = [
    await client.redeem(`${code}x`, 'v'.repeat(43)),
    await client.token({ grant_type: code }),
    await client.token({ grant_type: 'authorization_code', code, [code]: code }),
    await postForm(`${world.url}/token`, { grant_type: 'authorization_code', code }),
    await postForm(`${world.url}/token`, { code, client_id: 'dcr-x' }, { authorization: `Basic ${code}` }),
    await postJson(`${world.url}/token`, { code }),
    await postJson(
      `${world.url}/register`,
      `{"redirect_uris":["https://client.test/cb"],"client_secret":"${KEYS.FIXED}`,
    ),
    await send(`${world.url}/authorize?client_id=${code}&redirect_uri=${code}&state=${code}`),
    await send(client.trip({ request: code }).url),
    await send(`${world.url}/upstream/callback/github?state=${code}&code=${code}`),
    await postForm(`${world.url}/login`, { transaction: code, csrf: code, ...VICTIM }),
    await callMcp(world.mcpUrl, code),
    await callMcp(`${world.mcpUrl}?access_token=${code}`, undefined),
    await send(`${world.url}/${code}`),
  ]
  for (const { status, headers } of answers) assert.ok(status >= 400 || headers.has('location'), `${status}`)
}

async function endings(world: World, client: Client, access: string, refresh: string): Promise<void> {
  for (const token of [access, refresh, 'x'])
    await client.token({ grant_type: 'refresh_token', refresh_token: token }).catch(() => {})
  for (const path of ['/introspect', '/revoke']) {
    for (const token of [access, refresh])
      await postForm(world.url + path, { token, client_id: client.id, client_secret: client.secret })
  }
  await callMcp(world.mcpUrl, access)
  for (const path of ['authorization-server', 'protected-resource', 'protected-resource/github', 'x'])
    await send(`${world.url}/.well-known/oauth-${path}`)
}

/** Shared keys, an upstream that is not there, and one that refuses the gateway. */
async function otherRoutes(world: World): Promise<void> {
  for (const name of ['header', 'query', 'dead']) {
    const client = await Client.register(world.url)
    const browser = newBrowser()
    const { trip, page } = await openConsent(browser, client, { resource: `${world.url}/${name}` })
    const { sentTo } = await allow(browser, page)
    const { access } = tokensOf(await client.redeem(sentTo?.searchParams.get('code') ?? '', trip.verifier))
    assert.is((await callMcp(`${world.url}/${name}`, access)).status, name === 'dead' ? 502 : 200)
  }
  const [upstream] = world.github.tokens()
  const reply = (status: number, body: string) => ({ status, type: 'application/json', body })
  for (const tokenReply of [
    reply(400, `{"error":"${upstream?.token}"}`),
    reply(500, upstream?.token ?? ''),
    reply(200, `{"access_token":{"x":"${upstream?.token}"}}`),
  ]) {
    world.github.knobs.tokenReply = tokenReply
    const client = await Client.register(world.url)
    const browser = newBrowser()
    const { page } = await openConsent(browser, client, { resource: world.mcpUrl })
    const { sentTo } = await allow(browser, page, { username: 'attacker', password: 'attacker password' })
    assert.ok(sentTo?.searchParams.has('error'))
  }
  world.github.knobs.tokenReply = undefined
}

function upstreamSecrets({ github }: World): Record<string, string> {
  const secrets: Record<string, string> = { 'the upstream client secret': github.knobs.clientSecret }
  for (const { token } of github.tokens()) secrets['an upstream token'] = token
  for (const [index, { form }] of github.recorder.to('/login/oauth/access_token').entries()) {
    secrets[`upstream code ${index}`] = form.get('code') ?? ''
    secrets[`upstream verifier ${index}`] = form.get('code_verifier') ?? ''
  }
  return secrets
}

/** The ways in which people have found secrets in logs. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const whole = [
    secret,
    encodeURIComponent(secret),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    bytes.toString('hex'),
  ]
  const parts = [secret, secret.split('.')[1] ?? ''].map((text) => text.slice(0, 16))
  return [...whole, ...parts.filter((part) => part.length === 16)]
}

function assertAbsent(text: string, secrets: Record<string, string>, where: string) {
  for (const [name, secret] of Object.entries(secrets)) {
    assert.ok(secret.length >= 8, `${name} is long enough to be recognised`)
    for (const spelling of spellings(secret)) assert.not.ok(text.includes(spelling), `${name} is in ${where}`)
  }
}

const flat = (inPlace: Secrets['inPlace']) =>
  Object.fromEntries(Object.entries(inPlace).map(([name, [secret]]) => [name, secret]))

test('sec-O1, sec-R7, sec-S1, spec-T8: secrets are in no log, no file, and no answer but their own', async (context) => {
  const { tap, world, server } = await startTapped(context)
  const written = captureOutput(context)
  const { nowhere, inPlace, inForms } = await everything(world)
  const cookies = cookiesIn(tap.heard().join('\n'))
  assert.ok(Object.keys(nowhere).length > 15 && Object.keys(inPlace).length >= 11 && cookies.length > 5)
  assert.ok(
    server.recorder.saw(KEYS.HEADER_KEY) &&
      server.recorder.saw(KEYS.QUERY_KEY) &&
      server.recorder.saw(KEYS.FIXED),
  )

  const log = JSON.stringify(world.gateway.log)
  assert.ok(world.gateway.log.length > 50)
  const all = {
    ...nowhere,
    ...flat(inPlace),
    ...inForms,
    state: STATE,
    ...Object.fromEntries(cookies.map((cookie, index) => [`cookie ${index}`, cookie])),
  }
  assertAbsent(log, all, 'the log')
  assertAbsent(written(), all, 'the output')

  for (const answer of tap.heard()) assertAbsent(answer, nowhere, 'an answer')
  for (const [name, [secret, place]] of Object.entries(inPlace)) {
    for (const answer of tap.heard()) {
      for (const before of answer.split(secret).slice(0, -1))
        assert.match(before.slice(-40), place, `${name} stands where it should not`)
    }
  }
  // The gateway's id at its upstream goes to the upstream only, in the browser's own hands.
  for (const answer of tap.heard()) {
    for (const line of answer.split('\r\n')) {
      if (line.includes(world.github.knobs.clientId))
        assert.match(line, new RegExp(`^location: ${world.github.authorizationEndpoint}\\?`))
    }
  }
  for (const [file, text] of await filesUnder(join(world.gateway.folder, 'state')))
    assertAbsent(text, onDisk(all), file)
})

/** A transaction's id is no secret to the disk: its record is found by the hash, and worth nothing without the cookie. */
const onDisk = (secrets: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(secrets).filter(([name]) => !name.startsWith('transaction') && name !== 'state'),
  )

function cookiesIn(text: string): string[] {
  return [...text.matchAll(/^set-cookie: [^=]+=([^;\r]+)/gim)].map(
    ([, value = '']) => value.split('.').at(-1) ?? '',
  )
}

function captureOutput({ after }: Context): () => string {
  let text = ''
  for (const stream of [process.stdout, process.stderr]) {
    const { write } = stream
    stream.write = ((chunk: string | Uint8Array, ...rest: never[]) => {
      text += String(chunk)
      return write.call(stream, chunk, ...rest)
    }) as typeof stream.write
    after(() => {
      stream.write = write
    })
  }
  return () => text
}

async function filesUnder(folder: string): Promise<[file: string, text: string][]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  assert.ok(files.length > 0)
  return Promise.all(
    files.map(async (file): Promise<[string, string]> => [file, await readFile(file, 'latin1')]),
  )
}

test.run()
