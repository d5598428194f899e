// The failure table of docs/upstream-errors.md, row by row: what the client gets, who has to act, what is kept.
import { readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { challengeOf, mcpRequest, type OAuthClient, registerClient } from '../../flow/oauth-client.ts'
import { CALL_ANSWERS, REFRESH_ANSWERS, type Row, SIGN_IN_ANSWERS } from '../../flow/upstream-answers.ts'
import { upstreamErrorsPage } from '../../flow/upstream-errors-page.ts'
import { startGateway, type TestGateway, USER } from '../../support/gateway.ts'
import { listen, readForm } from '../../support/http.ts'
import { record } from '../../support/recorder.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { document } from '../../support/yaml.ts'

const test = suite('long/flow/upstream-errors')

const HOUR_MS = 3_600_000
/** Longer than an upstream in trouble is left alone. */
const REST_MS = 11_000

type Reply = Row['reply']
interface Script {
  /** Answers of the token endpoint, by code or refresh token; without one it answers well. */
  readonly token: Map<string, Reply>
  /** Answers of the MCP endpoint, by the code that the link began with. */
  readonly call: Map<string, Reply>
}

/** An authorization server and an MCP server that give each person the answers of one row. Codes are `row-0`, `row-1`, … in the order of the sign-ins. */
async function startScripted({ after }: TestContext) {
  const script: Script = { token: new Map(), call: new Map() }
  /** Whose each token is. */
  const owners = new Map<string, string>()
  let signIns = 0
  let minted = 0

  function give(response: ServerResponse, owner: string): void {
    const token = `token-${++minted}`
    owners.set(token, owner)
    const tokens = { access_token: token, token_type: 'Bearer', expires_in: 3600, refresh_token: owner }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(tokens))
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<unknown> => {
    const url = new URL(request.url ?? '', 'http://upstream')
    if (url.pathname === '/authorize') {
      const target = new URL(url.searchParams.get('redirect_uri') ?? '')
      target.searchParams.set('state', url.searchParams.get('state') ?? '')
      target.searchParams.set('code', `row-${signIns++}`)
      return response.writeHead(302, { location: target.href }).end()
    }
    if (url.pathname === '/token') {
      const form = await readForm(request)
      const key = form.get('code') ?? form.get('refresh_token') ?? ''
      const reply = script.token.get(key)
      return reply === undefined ? give(response, key.replace(/^r-.*/, '')) : reply(response, request)
    }
    const token = request.headers.authorization?.slice('Bearer '.length) ?? ''
    const reply = script.call.get(owners.get(token) ?? '')
    if (reply !== undefined) return reply(response, request)
    const isKnown = owners.has(token) || token.startsWith('good-')
    return response
      .writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' })
      .end('{"jsonrpc":"2.0","id":"hello-1","result":{}}')
  }
  const listening = await listen(handle)
  after(() => listening.close())
  const route = `
  tools:
    upstream: ${listening.origin}/mcp
    timeouts: { response: 1s }
    auth:
      type: authorization_code
      scope: a b
      authorization_server:
        authorization_endpoint: ${listening.origin}/authorize
        token_endpoint: ${listening.origin}/token
        client_id: gateway
`
  const yaml = `tokens: { access_ttl: 12h }\nlogin: { none: {} }\n${document(route)}`
  return { yaml, script, recorder: record(listening.server) }
}

interface Member {
  readonly client: OAuthClient
  readonly access: string
  refresh: string
}

/** Everybody is their own person, since nobody is asked who they are. */
async function signIn(client: OAuthClient): Promise<Member> {
  const { callback } = await client.signIn(client.browser(), USER)
  const { status, body } = await client.redeem(callback)
  assert.is(status, 200)
  return { client, access: String(body.access_token), refresh: String(body.refresh_token) }
}

const call = (gateway: TestGateway, { access }: Member) => mcpRequest(`${gateway.url}/tools`, access)

async function refresh(member: Member): Promise<number> {
  const { status, body } = await member.client.token({
    grant_type: 'refresh_token',
    refresh_token: member.refresh,
  })
  if (status === 200) member.refresh = String(body.refresh_token)
  else assert.is(body.error, 'invalid_grant')
  return status
}

async function outcomeOf(gateway: TestGateway, member: Member) {
  const answer = await call(gateway, member)
  const { status, parameters } = await challengeOf(answer)
  // The client is sent to this gateway and to nobody else (sec-T14).
  if (status === 401) {
    assert.is(parameters.error, 'invalid_token')
    assert.ok(parameters.resource_metadata?.startsWith(gateway.url))
  } else assert.equal(parameters, {})
  return { call: status, refresh: await refresh(member) }
}

const described = (rows: readonly Pick<Row, 'answer'>[], values: readonly unknown[]) =>
  rows.map(({ answer }, at) => [answer, values[at]])

test(
  `spec-U8: ${REFRESH_ANSWERS.length} answers to the refresh of an expired link: the status, who acts, and whether it goes on by itself`,
  async (context) => {
    const upstream = await startScripted(context)
    let offsetMs = 0
    const gateway = await startGateway({ yaml: upstream.yaml, now: () => Date.now() + offsetMs })
    context.after(() => gateway.close())
    const client = await registerClient(gateway.url)
    const members: Member[] = []
    for (const _ of REFRESH_ANSWERS) members.push(await signIn(client))
    for (const [at, { reply }] of REFRESH_ANSWERS.entries()) upstream.script.token.set(`row-${at}`, reply)

    offsetMs += 2 * HOUR_MS
    const outcomes = await Promise.all(members.map((member) => outcomeOf(gateway, member)))
    assert.equal(
      described(REFRESH_ANSWERS, outcomes),
      described(
        REFRESH_ANSWERS,
        REFRESH_ANSWERS.map(({ call, refresh }) => ({ call, refresh })),
      ),
    )

    upstream.script.token.clear()
    offsetMs += REST_MS
    const afterwards = await Promise.all(members.map(async (member) => (await call(gateway, member)).status))
    assert.equal(
      described(REFRESH_ANSWERS, afterwards),
      described(
        REFRESH_ANSWERS,
        REFRESH_ANSWERS.map(({ kept }) => (kept ? 200 : 401)),
      ),
    )
    const again = await signIn(client)
    assert.is((await call(gateway, again)).status, 200, 'a good sign-in works all the same')
  },
  { timeoutMs: 60_000 },
)

test(
  `sec-T14, spec-P6, spec-P7: ${CALL_ANSWERS.length} answers of an upstream to a call with a good token`,
  async (context) => {
    const upstream = await startScripted(context)
    const gateway = await startGateway({ yaml: upstream.yaml })
    context.after(() => gateway.close())
    const client = await registerClient(gateway.url)
    const members: Member[] = []
    for (const _ of CALL_ANSWERS) members.push(await signIn(client))
    for (const [at, { reply }] of CALL_ANSWERS.entries()) upstream.script.call.set(`row-${at}`, reply)

    const outcomes = await Promise.all(members.map((member) => outcomeOf(gateway, member)))
    assert.equal(
      described(CALL_ANSWERS, outcomes),
      described(
        CALL_ANSWERS,
        CALL_ANSWERS.map(({ call, refresh }) => ({ call, refresh })),
      ),
    )
    upstream.script.call.clear()
    const afterwards = await Promise.all(members.map(async (member) => (await call(gateway, member)).status))
    assert.equal(
      described(CALL_ANSWERS, afterwards),
      described(
        CALL_ANSWERS,
        CALL_ANSWERS.map(({ kept }) => (kept ? 200 : 401)),
      ),
    )
  },
  { timeoutMs: 60_000 },
)

test(
  `sec-C11: ${SIGN_IN_ANSWERS.length} answers to the code at the end of a sign-in: the client is told in OAuth's words, and nothing is kept of a failure`,
  async (context) => {
    const upstream = await startScripted(context)
    const gateway = await startGateway({ yaml: upstream.yaml })
    context.after(() => gateway.close())
    const client = await registerClient(gateway.url)
    for (const [at, { reply }] of SIGN_IN_ANSWERS.entries()) upstream.script.token.set(`row-${at}`, reply)
    // The codes are given out in the order in which the browsers arrive, so each waits for the one before it.
    const callbacks: URL[] = []
    for (const _ of SIGN_IN_ANSWERS) callbacks.push((await client.signIn(client.browser(), USER)).callback)
    assert.equal(
      described(
        SIGN_IN_ANSWERS,
        callbacks.map(({ searchParams }) => searchParams.get('error') ?? undefined),
      ),
      described(
        SIGN_IN_ANSWERS,
        SIGN_IN_ANSWERS.map(({ error }) => error),
      ),
    )
    for (const { searchParams } of callbacks) {
      assert.equal(searchParams.getAll('iss'), [gateway.url])
      assert.is(searchParams.has('code'), !searchParams.has('error'))
    }
    const again = await signIn(client)
    assert.is((await call(gateway, again)).status, 200, 'a good sign-in works all the same')
  },
  { timeoutMs: 60_000 },
)

test('docs/upstream-errors.md says what was tested here (UPDATE_DOCS=1 writes it)', () => {
  const file = new URL('../../../docs/upstream-errors.md', import.meta.url)
  const page = upstreamErrorsPage()
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, page)
  assert.is(readFileSync(file, 'utf8'), page)
})

test.run()
