// Whose an MCP session is, on a route whose upstream cannot tell: it sees one credential for everybody.
import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { Client, callMcp } from '../security/client.ts'
import { ATTACKER, newBrowser, obtainTokens, PASSWORD_HASHES, TWO_USERS, VICTIM } from '../security/world.ts'
import { startGateway } from '../support/gateway.ts'
import { listen } from '../support/http.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { record } from '../support/recorder.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document } from '../support/yaml.ts'

const test = suite('flow/mcp-sessions')
const DAY_MS = 24 * 60 * 60_000

interface Upstream {
  readonly url: string
  close(): Promise<void>
  readonly recorder: { count(): number }
}

/** Two routes to one upstream, and two people; the victim has a second client. */
async function startScene({ after }: TestContext, upstream: Upstream, now?: () => number) {
  after(() => upstream.close())
  const routes = ['one', 'two'].map(
    (name) => `
  ${name}:
    upstream: ${upstream.url}
    auth: { type: api_key, value: "Bearer \${KEY}" }
`,
  )
  const yaml = `${document(...routes)}tokens: { access_ttl: 2d }\n${TWO_USERS}`
  const env = { ...PASSWORD_HASHES, KEY: 'the key of everybody' }
  const gateway = await startGateway({ yaml, env, ...(now && { now }) })
  after(() => gateway.close())
  const accessTo = async (route: string, person: typeof VICTIM | typeof ATTACKER) => {
    const overrides = { resource: `${gateway.url}/${route}` }
    const client = await Client.register(gateway.url)
    return (await obtainTokens({ client, browser: newBrowser(), person, overrides })).tokens.access
  }
  const [victim, again, thief, aside] = [
    await accessTo('one', VICTIM),
    await accessTo('one', VICTIM),
    await accessTo('one', ATTACKER),
    await accessTo('two', ATTACKER),
  ]
  return {
    gateway,
    accessTo,
    victim,
    again,
    thief,
    aside,
    open: async (access: string, route = 'one') =>
      (await callMcp(`${gateway.url}/${route}`, access)).headers.get('mcp-session-id') ?? '',
    list: (access: string, session: string, route = 'one') =>
      callMcp(`${gateway.url}/${route}`, access, LIST, { 'mcp-session-id': session }),
  }
}

const LIST = { jsonrpc: '2.0', id: 'list-1', method: 'tools/list' }
const RESULT = '{"jsonrpc":"2.0","id":"list-1","result":{}}'

test('spec-R8, sec-P17: a session serves who opened it, from every client of theirs, and is 404 for everybody else', async (context) => {
  const upstream = await startMcpServer()
  const scene = await startScene(context, upstream)
  const { gateway, victim, again, thief, aside } = scene
  const session = await scene.open(victim)
  assert.match(session, /./)
  assert.is((await scene.list(victim, session)).status, 200)
  assert.is((await scene.list(again, session)).status, 200)

  const before = upstream.recorder.count()
  for (const [access, route] of [
    [thief, 'one'],
    [aside, 'two'],
  ] as const) {
    const stolen = await scene.list(access, session, route)
    assert.equal([stolen.status, stolen.body.id], [404, 'list-1'])
    assert.not.match(stolen.text, 'victim')
    for (const method of ['GET', 'DELETE']) {
      const headers = {
        authorization: `Bearer ${access}`,
        accept: 'text/event-stream',
        'mcp-session-id': session,
      }
      assert.is((await fetch(`${gateway.url}/${route}`, { method, headers })).status, 404, method)
    }
  }
  assert.is(upstream.recorder.count(), before, 'the upstream hears nothing of it')

  const own = await scene.open(thief)
  assert.is.not(own, session)
  assert.is((await scene.list(thief, own)).status, 200)
  assert.is((await scene.list(victim, own)).status, 404)
  assert.is((await scene.list(victim, session)).status, 200, 'and the victim goes on')
})

test('spec-R8: a session that is used now and then is remembered for as long as that goes on', async (context) => {
  let passed = 0
  const upstream = await startMcpServer()
  const scene = await startScene(context, upstream, () => Date.now() + passed)
  const session = await scene.open(scene.victim)
  assert.is((await scene.list(scene.victim, session)).status, 200)
  for (let day = 2; day <= 60; day += 20) {
    passed = day * DAY_MS
    assert.is((await scene.list(await scene.accessTo('one', VICTIM), session)).status, 200)
    assert.is((await scene.list(await scene.accessTo('one', ATTACKER), session)).status, 404, `day ${day}`)
  }
})

test('spec-R8: a session that its person ends is forgotten once the upstream has ended it, and not before', async (context) => {
  const upstream = await startEnding()
  const { gateway, victim, thief, open, list } = await startScene(context, upstream)
  const session = await open(victim)
  const headers = { authorization: `Bearer ${victim}`, 'mcp-session-id': session }
  const end = async () => (await fetch(`${gateway.url}/one`, { method: 'DELETE', headers })).status
  const heard = async (access: string) => {
    const before = upstream.recorder.count()
    const { status } = await list(access, session)
    return [status, upstream.recorder.count() - before]
  }
  upstream.knobs.endsWith = 405
  assert.is(await end(), 405)
  assert.equal(await heard(thief), [404, 0], 'it goes on, and is still not theirs')
  assert.equal(await heard(victim), [200, 1])
  upstream.knobs.endsWith = 200
  assert.is(await end(), 200)
  assert.equal(await heard(thief), [404, 1], 'the upstream knows no such session any more')
  assert.equal(await heard(victim), [404, 1])
  assert.is((await list(victim, await open(victim))).status, 200, 'and a new one serves')
})

test('spec-R8: an id beyond the ceiling is withheld with its answer left as it is; ids before it stay bound, others go on', async (context) => {
  const nowMs = Date.now()
  let passed = 0
  const upstream = await startFresh()
  const scene = await startScene(context, upstream, () => nowMs + passed)
  const { gateway, victim, thief } = scene
  const ids: string[] = []
  for (let round = 0; round < 101; round++) {
    const calls = Array.from({ length: 10 }, () => callMcp(`${gateway.url}/one`, victim, LIST))
    for (const answer of await Promise.all(calls)) {
      assert.equal([answer.status, answer.body.id], [200, 'list-1'])
      const id = answer.headers.get('mcp-session-id')
      if (id !== null) ids.push(id)
    }
  }
  assert.is(new Set(ids).size, 1_000)
  assert.is(upstream.recorder.count(), 1_010, 'each call was carried out')
  for (const id of [ids[0] ?? '', ids[999] ?? '']) {
    assert.is((await scene.list(thief, id)).status, 404)
    assert.is((await scene.list(victim, id)).status, 200)
  }
  assert.match(await scene.open(thief), /./)
  assert.is(await scene.open(victim), '')
  passed = 60_000
  assert.match(await scene.open(victim), /./, 'a minute later there is room again')
})

/** Ends sessions, with the status that it is told. */
async function startEnding() {
  const knobs = { endsWith: 200 }
  const living = new Set<string>()
  const listening = await listen((request, response) => {
    const brought = request.headers['mcp-session-id'] as string | undefined
    if (brought !== undefined && !living.has(brought)) return response.writeHead(404).end()
    if (request.method === 'DELETE') {
      if (knobs.endsWith === 200) living.delete(brought ?? '')
      return response.writeHead(knobs.endsWith).end()
    }
    const id = brought ?? randomUUID()
    living.add(id)
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': id }).end(RESULT)
  })
  return { ...listening, url: `${listening.origin}/mcp`, recorder: record(listening.server), knobs }
}

/** Names a new id in every answer. */
async function startFresh() {
  const listening = await listen((_, response) => {
    const headers = { 'content-type': 'application/json', 'mcp-session-id': randomUUID() }
    response.writeHead(200, headers).end(RESULT)
  })
  return { ...listening, url: `${listening.origin}/mcp`, recorder: record(listening.server) }
}

/** Says the same id to everybody, or the one that the request named: both are to be met. */
async function startEcho(fixed?: string | string[]) {
  const listening = await listen((request, response) => {
    const id = fixed ?? request.headers['mcp-session-id'] ?? 'fresh'
    const headers = { 'content-type': 'application/json', 'mcp-session-id': id }
    response.writeHead(200, headers).end(RESULT)
  })
  return { ...listening, url: `${listening.origin}/mcp`, recorder: record(listening.server) }
}

test('spec-R8: two ids in one answer are withheld, for nobody guards either of them; the answer stays', async (context) => {
  const scene = await startScene(context, await startEcho(['s-1', 's-2']))
  const answer = await callMcp(`${scene.gateway.url}/one`, scene.victim, LIST)
  assert.equal([answer.status, answer.text], [200, RESULT])
  assert.is(answer.headers.get('mcp-session-id'), null)
})

test('an upstream that gives everybody the same id means nobody by it', async (context) => {
  const scene = await startScene(context, await startEcho('constant'))
  for (const access of [scene.victim, scene.thief, scene.again]) {
    assert.is(await scene.open(access), 'constant')
    assert.is((await scene.list(access, 'constant')).status, 200)
  }
  for (const access of [scene.victim, scene.thief])
    assert.is((await scene.list(access, 'constant')).status, 200)
})

test('an id from before the gateway kept them does not become the property of who names it first', async (context) => {
  const scene = await startScene(context, await startEcho())
  assert.is((await scene.list(scene.thief, 'old')).status, 200)
  assert.is((await scene.list(scene.victim, 'old')).status, 200)
})

test('an id that comes with a failure is not passed on; one that the client named is', async (context) => {
  const listening = await listen((request, response) => {
    const id = request.headers['mcp-session-id'] ?? 'named with a failure'
    response.writeHead(400, { 'content-type': 'application/json', 'mcp-session-id': id }).end('{}')
  })
  const recorder = record(listening.server)
  const scene = await startScene(context, { ...listening, url: `${listening.origin}/mcp`, recorder })
  const failed = await callMcp(`${scene.gateway.url}/one`, scene.victim)
  assert.equal([failed.status, failed.headers.get('mcp-session-id')], [400, null])
  const named = await scene.list(scene.victim, 'of its own')
  assert.equal([named.status, named.headers.get('mcp-session-id')], [400, 'of its own'])
})

test.run()
