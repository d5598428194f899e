// Whether an upstream takes a key: what each of its answers says, and what is sent to find out.
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { apiKey, keyCredentials } from '../../src/auth/api-key.ts'
import { keyCheck } from '../../src/auth/key-check.ts'
import { UpstreamError } from '../../src/errors.ts'
import { controlHttp } from '../../src/upstream/http.ts'
import { listen } from '../support/http.ts'
import { record } from '../support/recorder.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('auth/key-check')
const inHeader = (key: string) => keyCredentials({ in: 'header', name: 'X-Key' }, key)

async function start(
  { after }: TestContext,
  handle: (request: IncomingMessage, response: ServerResponse, count: number) => unknown,
) {
  let count = 0
  const server = await listen((request, response) => {
    request.resume()
    count += 1
    return handle(request, response, count)
  })
  after(() => server.close())
  const recorder = record(server.server)
  const upstream = new URL(`${server.origin}/mcp?tenant=one`)
  const check = (how: string, credentialsOf = inHeader) =>
    keyCheck(how, credentialsOf, { upstream, headers: { 'x-tenant': 'one' }, http: controlHttp })
  return { recorder, origin: server.origin, check }
}

const always = (status: number) => (_request: IncomingMessage, response: ServerResponse) =>
  response.writeHead(status).end()

const verdict = (work: Promise<string | undefined>) =>
  work.then(
    (wrong) => (wrong === undefined ? 'good' : 'refused'),
    (error: unknown) => {
      if (!(error instanceof UpstreamError)) return error
      return error.fault === 'bad_response' ? 'for the operator' : 'cannot say'
    },
  )

const ANSWERS: readonly (readonly [status: number, mcp: string, url: string])[] = [
  [200, 'good', 'good'],
  [204, 'good', 'good'],
  [302, 'for the operator', 'for the operator'],
  [307, 'for the operator', 'for the operator'],
  [400, 'good', 'refused'],
  [401, 'refused', 'refused'],
  [403, 'refused', 'refused'],
  [404, 'good', 'refused'],
  [408, 'cannot say', 'cannot say'],
  [425, 'cannot say', 'cannot say'],
  [429, 'cannot say', 'cannot say'],
  [500, 'cannot say', 'cannot say'],
  [503, 'cannot say', 'cannot say'],
]

for (const [status, mcp, url] of ANSWERS)
  test(`${status}: by MCP ${mcp}, at an address of its own ${url}`, async (context) => {
    const { check, origin } = await start(context, always(status))
    assert.is(await verdict(check('mcp')('k')), mcp)
    assert.is(await verdict(check(`${origin}/me`)('k')), url)
    assert.is(await verdict(check('none')('k')), 'good')
  })

test('nobody there: it cannot be said', async (context) => {
  const { check } = await start(context, (request) => request.socket.destroy())
  assert.is(await verdict(check('mcp')('k')), 'cannot say')
})

test('a body that never ends is an answer at once', async (context) => {
  const { check, origin } = await start(context, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': here\n\n')
  })
  assert.is(await verdict(check('mcp')('k')), 'good')
  assert.is(await verdict(check(`${origin}/me`)('k')), 'good')
})

test('a server that greets anybody is asked further', async (context) => {
  const { check, recorder } = await start(context, (_request, response, count) =>
    response.writeHead(count === 1 ? 200 : 401, { 'mcp-session-id': 'session-1' }).end('{}'),
  )
  assert.is(await verdict(check('mcp')('k')), 'refused')
  assert.equal(
    recorder.requests.map(({ body, headers }) => [JSON.parse(body).method, headers['mcp-session-id']]),
    [
      ['initialize', undefined],
      ['tools/list', 'session-1'],
    ],
  )
})

test('a server that greets anybody and sends whoever goes on to a sign-in page has not looked at the key', async (context) => {
  const { check } = await start(context, (_request, response, count) =>
    response.writeHead(count === 1 ? 200 : 302, { location: '/login' }).end('{}'),
  )
  assert.is(await verdict(check('mcp')('k')), 'for the operator')
})

test('a greeting stands where what comes after it breaks off', async (context) => {
  const { check, recorder } = await start(context, (request, response, count) =>
    count === 1 ? response.writeHead(200).end('{}') : request.socket.destroy(),
  )
  assert.is(await verdict(check('mcp')('k')), 'good')
  assert.is(recorder.count(), 2)
})

test('the key goes where it belongs, beside the route’s own headers and query', async (context) => {
  const { check, recorder, origin } = await start(context, always(401))
  await check('mcp')('k 1')
  await check('mcp', (key) => keyCredentials({ in: 'query', name: 'key' }, key))('a&b')
  await check(`${origin}/me?x=1`, (key) => keyCredentials({ in: 'query', name: 'key' }, key))('a&b')
  const [header, query, own] = recorder.requests
  assert.equal([header?.headers['x-key'], header?.headers['x-tenant']], ['k 1', 'one'])
  assert.equal([query?.query.get('key'), query?.query.get('tenant')], ['a&b', 'one'])
  assert.equal(
    [own?.method, own?.path, own?.query.get('key'), own?.query.get('x')],
    ['GET', '/me', 'a&b', '1'],
  )
})

test('the key is the one that is judged, where the route has a header of that name too', async (context) => {
  const { check, recorder } = await start(context, always(401))
  await check('mcp', (key) => keyCredentials({ in: 'header', name: 'X-Tenant' }, key))('k')
  assert.is(recorder.requests[0]?.headers['x-tenant'], 'k')
})

test('the shared key and a pasted one are sent alike', async () => {
  const entry = { type: 'api_key', in: 'query', name: 'k', value: 'v' } as const
  const caller = {} as Parameters<ReturnType<typeof apiKey>['attach']>[0]
  assert.equal(await apiKey(entry).attach(caller), keyCredentials(entry, 'v'))
})

test.run()
