// The failure tables of docs/upstream-errors.md, row by row: what the client gets, who has to act, what is kept. Each row
// has an upstream and a route of its own, so that the log says which one a line is about.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { challengeOf, HELLO, mcpRequest, type OAuthClient, registerClient } from '../../flow/oauth-client.ts'
import { type ScriptedUpstream, startScriptedUpstream, toFirstCode } from '../../flow/scripted-upstream.ts'
import {
  type Actor,
  CALL_ANSWERS,
  json,
  REFRESH_ANSWERS,
  type Row,
  SIGN_IN_ANSWERS,
  text,
} from '../../flow/upstream-answers.ts'
import {
  API_KEY_ANSWERS,
  CLIENT_CREDENTIALS_ANSWERS,
  KEY_PAGE_ANSWERS,
  type ServiceRow,
  TOKEN_EXCHANGE_ANSWERS,
} from '../../flow/upstream-answers-services.ts'
import { CALLBACK_ANSWERS, LOOKUP_ANSWERS } from '../../flow/upstream-answers-sign-in.ts'
import { upstreamErrorsPage } from '../../flow/upstream-errors-page.ts'
import type { Browser } from '../../support/browser.ts'
import { startGateway, type TestGateway, USER } from '../../support/gateway.ts'
import type { Page } from '../../support/page.ts'
import { decide, type Person } from '../../support/person.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { document } from '../../support/yaml.ts'

const test = suite('long/flow/upstream-errors')
const LIMIT = { timeoutMs: 60_000 }

const HOUR_MS = 3_600_000
/** Longer than an upstream in trouble is left alone. */
const REST_MS = 11_000
/** Longer than a token that replaced a refused one is not replaced itself. */
const REPLACE_MS = 61_000

/** The lines of a route's `auth`, in braces. */
type Auth = (upstream: ScriptedUpstream, name: string) => string

const discovered: Auth = () => '{ type: authorization_code, scope: a b }'
const fixed: Auth = ({ origin }, name) =>
  `{ type: authorization_code, scope: a b, authorization_server: ${serverOf(origin, name, 'client_id: gateway')} }`
const confidential = ({ origin }: ScriptedUpstream, name: string) =>
  serverOf(origin, name, 'client_id: gateway, client_secret: "${SECRET}"')
const clientCredentials: Auth = (upstream, name) =>
  `{ type: client_credentials, authorization_server: ${confidential(upstream, name)} }`
const tokenExchange: Auth = (upstream, name) =>
  `{ type: token_exchange, authorization_server: ${confidential(upstream, name)} }`
const apiKey: Auth = () => '{ type: api_key, in: header, name: X-API-Key, value: "${SECRET}" }'
const userApiKey: Auth = () => '{ type: user_api_key, in: header, name: X-API-Key }'

const serverOf = (origin: string, name: string, client: string) =>
  `{ authorization_endpoint: "${origin}/${name}/authorize", token_endpoint: "${origin}/${name}/token", ${client} }`

interface Scene {
  readonly upstream: ScriptedUpstream
  readonly gateway: TestGateway
  readonly client: OAuthClient
  pass(ms: number): void
}

/** A route for each name, on one gateway that asks nobody who they are: so every browser is a person of its own. */
async function start(
  context: TestContext,
  names: readonly string[],
  auth: Auth,
  prepare: (upstream: ScriptedUpstream) => void = () => {},
): Promise<Scene> {
  const upstream = await startScriptedUpstream(context)
  prepare(upstream)
  const routes = names.map(
    (name) => `
  ${name}:
    upstream: ${upstream.origin}/${name}/mcp
    timeouts: { response: 1s }
    auth: ${auth(upstream, name)}
`,
  )
  let passedMs = 0
  const gateway = await startGateway({
    yaml: `tokens: { access_ttl: 12h }\nlogin: { none: {} }\n${document(...routes)}`,
    env: { SECRET: 'good-secret' },
    now: () => Date.now() + passedMs,
  })
  context.after(() => gateway.close())
  // Whatever an upstream does, it is no fault of the gateway's own.
  context.after(() => assert.equal(eventsOf(gateway, 'unexpected error'), []))
  const client = await registerClient(gateway.url)
  return {
    upstream,
    gateway,
    client,
    pass: (ms) => {
      passedMs += ms
    },
  }
}

const eventsOf = ({ log }: TestGateway, wanted: string) => log.filter(({ event }) => event === wanted)

const namesOf = (rows: readonly unknown[], prefix = 'row') => rows.map((_, at) => `${prefix}-${at}`)

const described = <T>(rows: readonly { answer: string }[], values: readonly T[]) =>
  rows.map(({ answer }, at) => [answer, values[at]])

/** Runs all rows side by side; what they come to is compared as one, so that a failure names every row that differs. */
async function compare<R extends { answer: string }, T>(
  rows: readonly R[],
  run: (name: string, row: R) => Promise<T>,
  expected: (row: R) => T,
  prefix?: string,
): Promise<void> {
  const names = namesOf(rows, prefix)
  const found = await Promise.all(rows.map((row, at) => run(names[at] ?? '', row)))
  assert.equal(described(rows, found), described(rows, rows.map(expected)))
}

interface Member {
  readonly route: string
  readonly access: string
  refresh: string
}

const resourceOf = ({ gateway }: Scene, route: string) => ({ resource: `${gateway.url}/${route}` })

/** To the redirect to the client. */
async function comeBack(scene: Scene, route: string, person: Person = USER, browser?: Browser): Promise<URL> {
  const { client } = scene
  const { callback } = await client.signIn(browser ?? client.browser(), person, resourceOf(scene, route))
  return callback
}

async function redeem({ client }: Scene, route: string, callback: URL): Promise<Member> {
  const { status, body } = await client.redeem(callback)
  assert.is(status, 200)
  return { route, access: String(body.access_token), refresh: String(body.refresh_token) }
}

const signIn = async (scene: Scene, route: string, person?: Person) =>
  redeem(scene, route, await comeBack(scene, route, person))
const allSignedIn = (scene: Scene, names: readonly string[], person?: Person) =>
  Promise.all(names.map((name) => signIn(scene, name, person)))

async function refresh({ client }: Scene, member: Member): Promise<number> {
  const { status, body } = await client.token({ grant_type: 'refresh_token', refresh_token: member.refresh })
  if (status === 200) member.refresh = String(body.refresh_token)
  else assert.is(body.error, 'invalid_grant')
  return status
}

interface Called {
  readonly call: number
  readonly acts: Actor | undefined
}

/** Who has to act is read from the answer and from what the log says of this route, and from nothing else. */
async function call({ gateway }: Scene, { route, access }: Member): Promise<Called> {
  const seen = gateway.log.length
  const answer = await mcpRequest(`${gateway.url}/${route}`, access)
  const body = await answer.clone().text()
  const { status, parameters } = await challengeOf(answer)
  // The client is sent to this gateway and to nobody else (sec-T14).
  if (status === 401) {
    assert.is(parameters.error, 'invalid_token')
    assert.is(parameters.resource_metadata?.startsWith(gateway.url), true)
  } else assert.equal(parameters, {})
  // The call fails at once, instead of timing out in the client (spec-P6).
  if (status >= 500) assert.is(JSON.parse(body).id, HELLO.id)
  const told = gateway.log
    .slice(seen)
    .filter(({ level, fields }) => level !== 'debug' && fields.route === route)
  return { call: status, acts: actorOf(answer, told) }
}

function actorOf(
  { status, headers }: Response,
  told: readonly TestGateway['log'][number][],
): Actor | undefined {
  if (status < 300) return 'nobody'
  if (status === 401) return 'person'
  if (headers.has('retry-after')) return 'upstream'
  if (told.length === 0) return status < 500 ? 'client' : undefined
  // What only a change of the configuration, or of rights at the upstream, can mend.
  const isForOperator = told.some(
    ({ level, fields }) =>
      status === 403 || (level === 'warn' && /operator|redirect/.test(String(fields.reason))),
  )
  return isForOperator ? 'operator' : 'upstream'
}

interface Attempt {
  readonly error: string | undefined
  readonly acts: Actor | undefined
}

/** A sign-in of somebody new, and who has to act when it fails: the person where signing in again is all it takes. */
async function attempt(scene: Scene, route: string): Promise<Attempt> {
  const { gateway } = scene
  const seen = gateway.log.length
  const callback = await comeBack(scene, route)
  const { searchParams } = callback
  const error = searchParams.get('error') ?? undefined
  assert.equal(searchParams.getAll('iss'), [gateway.url])
  assert.is(searchParams.has('code'), error === undefined)
  assert.not.match(callback.href, /elsewhere|account_locked|urn(:|%3A)/, 'nothing that the upstream wrote')
  if (error === undefined) return { error, acts: 'nobody' }
  if (error === 'access_denied') return { error, acts: 'person' }
  const told = gateway.log
    .slice(seen)
    .filter(({ level, fields }) => ['warn', 'error'].includes(level) && fields.route === route)
  assert.ok(told.length > 0, `the log says what was wrong with ${route}`)
  if (error === 'temporarily_unavailable') return { error, acts: 'upstream' }
  const isMended = !(await comeBack(scene, route)).searchParams.has('error')
  const hasCause = told.some(
    ({ fields: { reason, upstreamError } }) => (reason ?? upstreamError) !== undefined,
  )
  return { error, acts: isMended ? 'person' : hasCause ? 'operator' : undefined }
}

const statusesOf = (scene: Scene, members: readonly Member[]) =>
  Promise.all(members.map(async (member) => (await call(scene, member)).call))

test(
  `spec-U8: ${REFRESH_ANSWERS.length} answers to the refresh of an expired link: the status, who acts, and whether it goes on by itself`,
  async (context) => {
    const names = namesOf(REFRESH_ANSWERS)
    const scene = await start(context, names, fixed)
    const members = await allSignedIn(scene, names)
    for (const [at, { reply }] of REFRESH_ANSWERS.entries())
      scene.upstream.arrange(`row-${at}`, { token: reply })
    scene.pass(2 * HOUR_MS)
    await compareLinks(scene, REFRESH_ANSWERS, members)
  },
  LIMIT,
)

test(
  `sec-T14, spec-P6, spec-P7: ${CALL_ANSWERS.length} answers of an upstream to a call with a good token`,
  async (context) => {
    const names = namesOf(CALL_ANSWERS)
    const scene = await start(context, names, fixed)
    const members = await allSignedIn(scene, names)
    for (const [at, { reply }] of CALL_ANSWERS.entries()) scene.upstream.arrange(`row-${at}`, { mcp: reply })
    await compareLinks(scene, CALL_ANSWERS, members)
  },
  LIMIT,
)

/** What each row comes to, and what is left of it when all upstreams are well again. */
async function compareLinks(scene: Scene, rows: readonly Row[], members: readonly Member[]): Promise<void> {
  const memberOf = (name: string) => members.find(({ route }) => route === name) as Member
  await compare(
    rows,
    async (name) => {
      const { call: status, acts } = await call(scene, memberOf(name))
      return { call: status, refresh: await refresh(scene, memberOf(name)), acts }
    },
    ({ call, refresh, acts }) => ({ call, refresh, acts }),
  )
  for (const { route } of members) scene.upstream.arrange(route, {})
  scene.pass(REST_MS)
  await compare(
    rows,
    async (name) => (await call(scene, memberOf(name))).call,
    ({ kept }) => (kept ? 200 : 401),
  )
  const again = await allSignedIn(
    scene,
    members.map(({ route }) => route),
  )
  assert.equal([...new Set(await statusesOf(scene, again))], [200], 'a good sign-in works all the same')
}

test('an upstream’s own 500 in JSON is passed on as it came; anything else becomes a 502 with a JSON-RPC error', async (context) => {
  const scene = await start(context, ['row-0'], fixed)
  const member = await signIn(scene, 'row-0')
  const answered = async () => {
    const answer = await mcpRequest(`${scene.gateway.url}/row-0`, member.access)
    return [answer.status, await answer.json()]
  }
  const own = { jsonrpc: '2.0', id: 'hello-1', error: { code: -32001, message: 'of the upstream' } }
  scene.upstream.arrange('row-0', { mcp: json(500, own) })
  assert.equal(await answered(), [500, own])
  scene.upstream.arrange('row-0', { mcp: text(500, 'text/html', '<h1>Oops</h1>') })
  assert.equal(await answered(), [
    502,
    { ...own, error: { code: -32603, message: 'the MCP server answered 500' } },
  ])
})

test(
  `sec-C11: ${SIGN_IN_ANSWERS.length} answers to the code at the end of a sign-in: the client is told in OAuth's words, and nothing is kept of a failure`,
  async (context) => {
    const names = namesOf(SIGN_IN_ANSWERS)
    const scene = await start(context, names, fixed)
    const others = await allSignedIn(scene, names)
    for (const [at, { reply, acts }] of SIGN_IN_ANSWERS.entries()) {
      const well = json(200, { access_token: 'good-again', token_type: 'Bearer', expires_in: 3600 })
      // Where the code is to blame, another one has to be good.
      const token = acts === 'person' ? toFirstCode(reply, well) : reply
      scene.upstream.arrange(`row-${at}`, { token })
    }
    await compareSignIns(scene, SIGN_IN_ANSWERS, others)
  },
  LIMIT,
)

test(
  `sec-C11, spec-U2: ${CALLBACK_ANSWERS.length} answers that an upstream sends a browser back with; no code is redeemed that cannot be trusted`,
  async (context) => {
    const names = namesOf(CALLBACK_ANSWERS)
    const scene = await start(context, names, discovered)
    const others = await allSignedIn(scene, names)
    for (const [at, { reply }] of CALLBACK_ANSWERS.entries())
      scene.upstream.arrange(`row-${at}`, { authorize: reply })
    const redeemed = () => names.map((name) => scene.upstream.recorder.count(`POST /${name}/token`))
    const before = redeemed()
    await compareSignIns(scene, CALLBACK_ANSWERS, others, () =>
      assert.equal(
        described(
          CALLBACK_ANSWERS,
          redeemed().map((count, at) => count - (before[at] ?? 0)),
        ),
        described(
          CALLBACK_ANSWERS,
          CALLBACK_ANSWERS.map(({ error }) => (error === undefined ? 1 : 0)),
        ),
      ),
    )
  },
  LIMIT,
)

/** How sign-ins end, that those who are connected notice nothing, and that the next one is good when the upstream is. */
async function compareSignIns(
  scene: Scene,
  rows: readonly { answer: string; error: string | undefined; acts: Actor }[],
  others: readonly Member[],
  atEnd: () => void = () => {},
): Promise<void> {
  await compare(
    rows,
    (name) => attempt(scene, name),
    ({ error, acts }) => ({ error, acts }),
  )
  atEnd()
  await assertUntouched(scene, others)
  for (const { route } of others) scene.upstream.arrange(route, {})
  const names = others.map(({ route }) => route)
  assert.equal([...new Set(await statusesOf(scene, await allSignedIn(scene, names)))], [200])
}

async function assertUntouched(scene: Scene, others: readonly Member[]): Promise<void> {
  const kept = await Promise.all(
    others.map(async (member) => [(await call(scene, member)).call, await refresh(scene, member)]),
  )
  assert.equal(
    kept,
    others.map(() => [200, 200]),
    'who is connected stays connected',
  )
}

test(
  `spec-U1, spec-U5: ${LOOKUP_ANSWERS.length} ways of not saying where to sign in, or of not registering: to the first who comes, and to the next`,
  async (context) => {
    const [fresh, known] = [namesOf(LOOKUP_ANSWERS, 'new'), namesOf(LOOKUP_ANSWERS, 'row')]
    const arrange = ({ arrange }: ScriptedUpstream, prefix: string) => {
      for (const [at, { arranged }] of LOOKUP_ANSWERS.entries()) arrange(`${prefix}-${at}`, arranged)
    }
    const scene = await start(context, [...fresh, ...known], discovered, (upstream) =>
      arrange(upstream, 'new'),
    )
    const others = await allSignedIn(scene, known)
    arrange(scene.upstream, 'row')
    await compare(
      LOOKUP_ANSWERS,
      async (name) => {
        const first = await attempt(scene, name.replace('row', 'new'))
        const later = await attempt(scene, name)
        return { first: first.error, later: later.error, acts: first.error ? first.acts : later.acts }
      },
      ({ first, later, acts }) => ({ first, later, acts }),
    )
    await assertUntouched(scene, others)
    const names = [...fresh, ...known]
    for (const name of names) scene.upstream.arrange(name, {})
    assert.equal([...new Set(await statusesOf(scene, await allSignedIn(scene, names)))], [200])
  },
  LIMIT,
)

test(
  `${LOOKUP_ANSWERS.length} ways of not saying where to sign in, after an edit that has it looked up anew: no link ends, and nobody is sent to sign in for what is not known`,
  async (context) => {
    const names = namesOf(LOOKUP_ANSWERS)
    const scene = await start(context, names, discovered)
    const members = await allSignedIn(scene, names)
    for (const [at, { arranged }] of LOOKUP_ANSWERS.entries()) scene.upstream.arrange(`row-${at}`, arranged)
    const { gateway } = scene
    const text = readFileSync(join(gateway.folder, 'gateways.yaml'), 'utf8')
    await gateway.write(text.replaceAll('/mcp\n', '/mcp?edited\n'))
    assert.is((await gateway.follower.reload()).kind, 'applied')
    const memberOf = (name: string) => members[names.indexOf(name)] as Member
    await compare(
      LOOKUP_ANSWERS,
      async (name) => {
        const { call: status } = await call(scene, memberOf(name))
        return { call: status, refresh: await refresh(scene, memberOf(name)) }
      },
      ({ call }) => ({ call, refresh: call === 401 ? 400 : 200 }),
    )
    for (const name of names) scene.upstream.arrange(name, {})
    scene.pass(REST_MS)
    const waiting = members.filter((_, at) => LOOKUP_ANSWERS[at]?.call !== 401)
    await assertUntouched(scene, waiting)
  },
  LIMIT,
)

const SERVICES: Readonly<Record<string, [auth: Auth, rows: readonly ServiceRow[]]>> = {
  client_credentials: [clientCredentials, CLIENT_CREDENTIALS_ANSWERS],
  token_exchange: [tokenExchange, TOKEN_EXCHANGE_ANSWERS],
  api_key: [apiKey, API_KEY_ANSWERS],
}

for (const [type, [auth, rows]] of Object.entries(SERVICES)) {
  test(
    `${type}: ${rows.length} answers; whatever they are, nobody is sent to sign in, and all is well when the upstream is`,
    async (context) => {
      const names = namesOf(rows)
      const scene = await start(context, names, auth, ({ arrange }) => {
        for (const [at, { arranged }] of rows.entries()) arrange(`row-${at}`, arranged)
      })
      const members = await allSignedIn(scene, names)
      const memberOf = (name: string) => members.find(({ route }) => route === name) as Member
      await compare(
        rows,
        async (name) => ({
          ...(await call(scene, memberOf(name))),
          refresh: await refresh(scene, memberOf(name)),
        }),
        ({ call, acts }) => ({ call, acts, refresh: 200 }),
      )
      for (const name of names) scene.upstream.arrange(name, {})
      scene.pass(REPLACE_MS)
      assert.equal(
        await statusesOf(scene, members),
        members.map(() => 200),
      )
    },
    LIMIT,
  )
}

test('user_api_key: a key that the upstream refuses at a call is gone, and its person pastes another', async (context) => {
  const scene = await start(context, ['row-0', 'row-1'], userApiKey)
  const { upstream } = scene
  const person = { ...USER, key: 'good-key' }
  const mine = await signIn(scene, 'row-0', person)
  const [theirs] = await allSignedIn(scene, ['row-1'], person)
  upstream.arrange('row-0', { mcp: text(401, 'text/plain', 'no') })
  assert.equal(await call(scene, mine), { call: 401, acts: 'person' })
  assert.is(await refresh(scene, mine), 400)
  upstream.arrange('row-0', {})
  assert.is((await call(scene, mine)).call, 401, 'it is not tried again')
  assert.equal(await statusesOf(scene, [await signIn(scene, 'row-0', person), theirs as Member]), [200, 200])
})

test(
  `user_api_key: ${KEY_PAGE_ANSWERS.length} answers about a pasted key: the page says so, keeps nothing, and takes a good one`,
  async (context) => {
    const names = namesOf(KEY_PAGE_ANSWERS)
    const scene = await start(context, names, userApiKey)
    const person = { ...USER, key: 'good-key' }
    const others = await allSignedIn(scene, names, person)
    const browsers = new Map<string, { browser: Browser; page: Page }>()
    await compare(
      KEY_PAGE_ANSWERS,
      async (name, { reply }) => {
        const browser = scene.client.browser()
        const consent = await scene.client.open(browser, resourceOf(scene, name))
        const asked = await decide(browser, consent, person)
        scene.upstream.arrange(name, { mcp: reply })
        const page = await browser.submit(asked.form(), { key: 'some-key' }, { button: 'Connect' })
        browsers.set(name, { browser, page })
        const isMine = page.text.includes('refuses this key')
        const passes = page.text.includes('does not answer at the moment')
        const isOperators = page.text.includes('the operator of this gateway has to act')
        const acts = isMine ? 'person' : passes ? 'upstream' : isOperators ? 'operator' : undefined
        return { page: page.status, acts }
      },
      ({ page, acts }) => ({ page, acts }),
    )
    for (const name of names) scene.upstream.arrange(name, {})
    await assertUntouched(scene, others)
    for (const [name, { browser, page }] of browsers) {
      const done = await browser.submit(page.form(), { key: 'good-other' }, { button: 'Connect' })
      const member = await redeem(scene, name, done.sentTo as URL)
      assert.is((await call(scene, member)).call, 200, name)
    }
  },
  LIMIT,
)

test('docs/upstream-errors.md says what was tested here (UPDATE_DOCS=1 writes it)', () => {
  const file = new URL('../../../docs/upstream-errors.md', import.meta.url)
  const page = upstreamErrorsPage()
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, page)
  assert.is(readFileSync(file, 'utf8'), page)
})

test.run()
