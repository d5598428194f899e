// What upstreams answer on the MCP path: it is passed on or refused, but never acts on the gateway's origin. And
// how much may come from the other side.
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { sendRaw } from '../support/raw.ts'
import { suite } from '../support/suite.ts'
import { callMcp } from './client.ts'
import { MESSAGE, mcpHeaders, script, startWithToken } from './proxy-world.ts'
import { stillWorks, withoutUpstream } from './world.ts'

const test = suite('security/answers')

test('sec-P8: no redirect of an upstream is followed or passed on', async (context) => {
  const { world, access, upstreamToken } = await startWithToken(context)
  for (const status of [300, 301, 302, 303, 304, 307, 308]) {
    for (const location of [
      `${world.evil.url}mcp`,
      `//${new URL(world.evil.url).host}/mcp`,
      '/login',
      'javascript:alert(1)',
    ]) {
      const restore = script(world, (_request, response) =>
        response
          .writeHead(status, { location, 'content-type': 'text/html' })
          .end(status === 304 ? undefined : location),
      )
      const answer = await callMcp(world.mcpUrl, access)
      restore()
      assert.is(answer.status, 502)
      assert.is(answer.headers.get('location'), null)
      assert.equal([answer.body.jsonrpc, answer.body.id], ['2.0', 1])
      assert.not.match(answer.text, /evil|javascript|127\.0\.0\.1/)
    }
  }
  assert.not.ok(world.evil.recorder.saw(upstreamToken))
  world.evil.assertUntouched()
  await stillWorks(world)
})

const ACTING_HEADERS: Record<string, string> = {
  'set-cookie': 'mcpgw_stolen=1; Path=/',
  'clear-site-data': '"*"',
  'access-control-allow-origin': '*',
  'access-control-allow-credentials': 'true',
  'alt-svc': 'h2="evil.test:443"',
  link: '<https://evil.test/x.js>; rel=preload',
  location: 'https://evil.test/',
  refresh: '0; url=https://evil.test/',
  'content-location': 'https://evil.test/',
  'content-disposition': 'attachment; filename=x.exe',
  'content-security-policy': "script-src 'unsafe-inline' *",
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'service-worker-allowed': '/',
  'www-authenticate': 'Bearer resource_metadata="https://evil.test/"',
  'proxy-authenticate': 'Basic',
  'x-forwarded-host': 'evil.test',
  'report-to': '{"endpoints":[{"url":"https://evil.test"}]}',
  nel: '{}',
  'cache-control': 'public, max-age=31536000',
  expires: 'Fri, 31 Dec 9999 23:59:59 GMT',
  etag: '"x"',
  'x-powered-by': 'canary-software',
  server: 'canary-software',
  via: '1.1 canary',
  'set-cookie2': 'x=1',
  'x-content-type-options': 'off',
}
/** What the client may see, and nothing else. */
const SEEN_HEADERS = [
  'cache-control',
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'mcp-session-id',
  'transfer-encoding',
  'x-accel-buffering',
  'x-content-type-options',
]

test("sec-P9, sec-P23, spec-P9, spec-P10: an upstream's headers act on nothing, and its answers are stored by nobody", async (context) => {
  const { world, access } = await startWithToken(context)
  const shapes: [type: string, body: string, status: number][] = [
    ['application/json', '{"jsonrpc":"2.0","id":1,"result":{}}', 200],
    ['text/event-stream', 'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n', 200],
    ['application/json', '{"error":"nope"}', 404],
    ['application/json', '{"error":"nope"}', 503],
  ]
  for (const [type, body, status] of shapes) {
    const restore = script(world, (_request, response) =>
      response
        .writeHead(status, { ...ACTING_HEADERS, 'content-type': type, 'mcp-session-id': 's' })
        .end(body),
    )
    const answer = await callMcp(world.mcpUrl, access)
    restore()
    assert.equal([answer.status, answer.text], [status, body])
    const unknown = [...answer.headers.keys()].filter((name) => !SEEN_HEADERS.includes(name))
    assert.equal(unknown, [])
    assert.match(answer.headers.get('cache-control') ?? '', /^no-store/)
    assert.is(answer.headers.get('x-content-type-options'), 'nosniff')
    assert.is(answer.headers.get('mcp-session-id'), status === 200 ? 's' : null)
    assert.not.match(JSON.stringify([...answer.headers]), /evil|canary/)
  }
  await stillWorks(world)
})

test('sec-P10: a body that a browser would render never comes from our origin', async (context) => {
  const { world, access } = await startWithToken(context)
  const script1 = '<script>canary</script>'
  const types: Record<string, string>[] = [
    { 'content-type': 'text/html' },
    { 'content-type': 'text/html; charset=utf-8' },
    { 'content-type': 'TEXT/HTML' },
    { 'content-type': 'image/svg+xml' },
    { 'content-type': 'application/xhtml+xml' },
    { 'content-type': 'text/javascript' },
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/octet-stream' },
    { 'content-type': 'application/json, text/html' },
    { 'content-type': 'text/html, application/json' },
    { 'content-type': 'multipart/x-mixed-replace; boundary=x' },
    { 'content-type': '' },
    {},
    { 'content-type': 'application/json', 'content-encoding': 'gzip' },
  ]
  for (const headers of types) {
    for (const status of [200, 203, 403, 500]) {
      const restore = script(world, (_request, response) => response.writeHead(status, headers).end(script1))
      const answer = await callMcp(world.mcpUrl, access)
      restore()
      const label = `${status} ${JSON.stringify(headers)}`
      assert.is(answer.status, status === 403 ? 403 : 502, label)
      assert.is(answer.headers.get('content-type'), 'application/json', label)
      assert.equal([answer.body.jsonrpc, answer.body.id], ['2.0', 1], label)
      assert.not.match(answer.text, 'canary')
      assert.is(answer.headers.get('x-content-type-options'), 'nosniff')
    }
  }
  await stillWorks(world)
})

test('sec-P12: a body beyond the limit is cut off, whether its length is said or not', async (context) => {
  const { world, access } = await startWithToken(context)
  const limit = 4 * 1024 * 1024
  await withoutUpstream(world, async () => {
    // Only the head is sent: whoever waits for the body before answering would wait for ever.
    const declared = await sendRaw(world.url, {
      method: 'POST',
      target: '/github',
      headers: [...mcpHeaders(access), ['Content-Length', String(limit + 1)], ['Connection', 'keep-alive']],
    })
    assert.is(declared.status, 413)
    const { status, sent } = await streamUp(world.mcpUrl, access, limit * 4)
    assert.is(status, 413)
    assert.ok(sent < limit * 3, 'the gateway read little more than it allows')
    const unknown = await sendRaw(world.url, {
      method: 'POST',
      target: '/github',
      headers: [
        ['Authorization', 'Bearer x'],
        ['Content-Length', '1000000000'],
        ['Connection', 'keep-alive'],
      ],
    })
    assert.is(unknown.status, 401, 'a stranger does not get so far as to send a body')
    const huge = await sendRaw(world.url, {
      method: 'POST',
      target: '/github',
      headers: [
        ...mcpHeaders(access),
        ['Content-Length', '99999999999999999999'],
        ['Connection', 'keep-alive'],
      ],
    })
    assert.ok([400, 413].includes(huge.status), huge.statusLine)
  })
  await stillWorks(world)
})

/** Sends a chunked body until the answer comes; tells how much of it went out. */
async function streamUp(url: string, access: string, bytes: number) {
  const headers = Object.fromEntries([...mcpHeaders(access), ['Transfer-Encoding', 'chunked']])
  const outgoing = httpRequest(url, { method: 'POST', headers, agent: false })
  outgoing.on('error', () => {})
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>
  let [sent, over] = [0, false]
  const end = () => {
    over = true
  }
  answered.then(end, end)
  const chunk = Buffer.alloc(64 * 1024, ' ')
  while (sent < bytes && !over) {
    sent += chunk.length
    if (!outgoing.write(chunk)) await Promise.race([once(outgoing, 'drain').catch(end), answered])
  }
  const [response] = await answered
  response.resume()
  outgoing.destroy()
  return { status: response.statusCode, sent }
}

test('sec-P12: JSON nested beyond all reason is passed on as it is, and breaks nothing when the upstream fails', async (context) => {
  const { world, access } = await startWithToken(context)
  const depth = 500_000
  const nested = `{"jsonrpc":"2.0","id":1,"method":"x","params":${'['.repeat(depth)}${']'.repeat(depth)}}`
  let restore = script(world, (request, response) => {
    request
      .on('data', () => {})
      .on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
  })
  assert.is((await callMcp(world.mcpUrl, access, nested)).status, 200)
  assert.is(world.github.recorder.to('/mcp/').at(-1)?.body, nested)
  restore()
  restore = script(world, (_request, response) => response.destroy())
  const failed = await callMcp(world.mcpUrl, access, nested)
  assert.is(failed.status, 502)
  assert.is(failed.body.jsonrpc, '2.0')
  restore()
  await stillWorks(world)
})

test("sec-P16: when the client hangs up, the upstream's request ends", async (context) => {
  const { world, access } = await startWithToken(context)
  const shapes: ((response: ServerResponse) => unknown)[] = [
    () => {},
    (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders(),
    (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {}\n\n'),
    (response) => response.writeHead(200, { 'content-type': 'application/json' }).write('{"jsonrpc":'),
  ]
  for (const begin of shapes) {
    for (const method of ['POST', 'GET']) {
      const restore = script(world, (_request, response) => begin(response))
      const nth = world.github.recorder.count('/mcp/') + 1
      const gone = new AbortController()
      const headers = { authorization: `Bearer ${access}`, 'content-type': 'application/json' }
      const body = method === 'POST' ? MESSAGE : null
      const call = fetch(world.mcpUrl, { method, headers, body, signal: gone.signal })
        .then((answer) => answer.text())
        .catch(() => 'cut off')
      const arrived = await world.github.recorder.arrival('/mcp/', nth)
      gone.abort()
      assert.is(await call, 'cut off')
      assert.is(await arrived.outcome, 'aborted')
      restore()
    }
  }
  await stillWorks(world)
})

test("sec-T14, spec-P7: an upstream that refuses its own token sends the client to the gateway's metadata, not to its own", async (context) => {
  const { world, access, upstreamToken } = await startWithToken(context)
  world.github.revoke(upstreamToken)
  const answer = await callMcp(world.mcpUrl, access)
  assert.is(answer.status, 401)
  assert.equal(
    answer.headers.get('www-authenticate')?.match(/resource_metadata="([^"]*)"/)?.[1],
    `${world.url}/.well-known/oauth-protected-resource/github`,
  )
  assert.not.match(
    `${answer.text}${answer.headers.get('www-authenticate')}`,
    /No valid access token was provided|127\.0\.0\.1/,
  )
  await stillWorks(world)
})

test.run()
