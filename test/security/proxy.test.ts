// The MCP path with a valid token in hand: no request makes the gateway carry a credential elsewhere, and no answer of
// an upstream acts on the gateway's origin.
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { type RawRequest, type RawResponse, sendRaw } from '../support/raw.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute } from '../support/yaml.ts'
import { Client, callMcp, callTool, INITIALIZE, postForm, send } from './client.ts'
import {
  allow,
  assertErrorPage,
  deny,
  NO_LOGIN,
  newBrowser,
  obtainTokens,
  openConsent,
  startWorld,
  stillWorks,
  TWO_USERS,
  type World,
  type WorldOptions,
  withoutUpstream,
} from './world.ts'

const test = suite('security/proxy')

type Context = Parameters<typeof startWorld>[0]

/** A world in which somebody has a token. */
async function startWithToken(context: Context, options?: WorldOptions) {
  const world = await startWorld(context, options)
  const { tokens } = await obtainTokens({ client: await Client.register(world.url) })
  const [upstream] = world.github.tokens()
  return { world, access: tokens.access, upstreamToken: upstream?.token ?? '' }
}

/** Replaces what the upstream's MCP endpoint does; it still demands its own token first. */
function script(
  world: World,
  handle: (request: IncomingMessage, response: ServerResponse) => unknown,
): () => void {
  const { handle: original } = world.github.endpoint
  world.github.endpoint.handle = async (request, response) => {
    handle(request, response)
  }
  return () => {
    world.github.endpoint.handle = original
  }
}

const MESSAGE = JSON.stringify(INITIALIZE)
const mcpHeaders = (access: string): [string, string][] => [
  ['Authorization', `Bearer ${access}`],
  ['Content-Type', 'application/json'],
  ['Accept', 'application/json, text/event-stream'],
]

function raw(world: World, access: string, request: RawRequest = {}): Promise<RawResponse> {
  const headers = [...mcpHeaders(access), ...(request.headers ?? [])]
  return sendRaw(world.url, { method: 'POST', target: '/github', body: MESSAGE, ...request, headers })
}

test('sec-P1: a token in the query opens nothing, reaches no upstream and no log', async (context) => {
  const { world, access } = await startWithToken(context)
  await withoutUpstream(world, async () => {
    for (const query of [`access_token=${access}`, `token=${access}`, `authorization=Bearer%20${access}`]) {
      const answer = await callMcp(`${world.mcpUrl}?${query}`, undefined)
      assert.is(answer.status, 401)
      assert.not.match(answer.headers.get('www-authenticate') ?? '', access)
    }
    const inForm = await send(world.mcpUrl, {
      method: 'POST',
      body: new URLSearchParams({ access_token: access }),
    })
    assert.is(inForm.status, 401)
  })
  assert.is(await callTool(`${world.mcpUrl}?access_token=${access}&x=/../y`, access, 'whoami'), 'octocat')
  assert.not.ok(world.github.recorder.saw(access))
  assert.ok(
    world.github.recorder.to('/mcp/').every(({ url }) => url === '/mcp/'),
    'no query of a client travels on',
  )
  assert.not.match(JSON.stringify(world.gateway.log), access)
})

test('sec-P2: a header given twice is refused, whichever of the two is good', async (context) => {
  const { world, access } = await startWithToken(context)
  const { host } = new URL(world.url)
  const good: [string, string] = ['Authorization', `Bearer ${access}`]
  const twice: [string, string][][] = [
    [good, good],
    [good, ['Authorization', 'Bearer evil']],
    [['Authorization', 'Bearer evil'], good],
    [['authorization', 'Basic eDp5'], good],
    [good, ['Host', host], ['Host', 'evil.test']],
    [good, ['Host', 'evil.test'], ['Host', host]],
    [good, ['Mcp-Session-Id', 'a'], ['Mcp-Session-Id', 'b']],
    [good, ['Mcp-Session-Id', 'a, b']],
    [good, ['Origin', world.url], ['Origin', 'https://evil.test']],
    [good, ['Content-Type', 'application/json'], ['Content-Type', 'text/plain']],
  ]
  await withoutUpstream(world, async () => {
    for (const headers of twice) {
      const answer = await sendRaw(world.url, { method: 'POST', target: '/github', headers, body: MESSAGE })
      assert.is(answer.status, 400, JSON.stringify(headers))
    }
  })
  await stillWorks(world)
})

test('sec-P5: no header of the request changes what the gateway says about itself', async (context) => {
  const { world } = await startWithToken(context)
  const { host } = new URL(world.url)
  const spoofed: [string, string][] = [
    ['X-Forwarded-Host', 'evil.test'],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-For', '127.0.0.1'],
    ['X-Forwarded-Port', '1'],
    ['X-Forwarded-Prefix', '/evil'],
    ['X-Forwarded-Server', 'evil.test'],
    ['Forwarded', 'host=evil.test;proto=https'],
    ['X-Host', 'evil.test'],
    ['X-Original-URL', '/evil'],
    ['X-Rewrite-URL', '/evil'],
    ['X-Real-IP', '10.0.0.1'],
    ['Via', '1.1 evil.test'],
  ]
  const documents = [
    '/.well-known/oauth-authorization-server',
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-protected-resource/github',
  ]
  const bytes = async (request: RawRequest) =>
    (await sendRaw(world.url, request)).raw.replace(/^date: .*\r\n/im, '')
  await withoutUpstream(world, async () => {
    for (const target of [...documents, '/github', '/nowhere']) {
      const method = target === '/github' ? 'POST' : 'GET'
      const plain = await bytes({ method, target })
      assert.match(plain, target === '/github' ? `resource_metadata="${world.url}/` : '')
      for (const header of spoofed)
        assert.is(await bytes({ method, target, headers: [header] }), plain, `${target} ${header}`)
    }
    for (const target of documents) {
      for (const value of ['evil.test', `${host}.evil.test`, `evil.test:80`, 'localhost']) {
        const spoof = await bytes({ target, headers: [['Host', value]] })
        assert.is(spoof, await bytes({ target }), 'the Host decides nothing either')
      }
    }
    const authorize = await sendRaw(world.url, {
      target: '/authorize?client_id=x',
      headers: [['Host', 'evil.test']],
    })
    assert.not.match(authorize.raw, 'evil.test')
  })
})

test('sec-P6: a target that names another host is no path of ours', async (context) => {
  const { world, access } = await startWithToken(context)
  const { host } = new URL(world.evil.url)
  const targets = [
    `http://${host}/mcp`,
    `http://${host}/github`,
    `HTTP://${host}/github`,
    `https://${host}/github`,
    `ftp://${host}/github`,
    `${world.url}/github`,
    `${world.url.replace('localhost', '127.0.0.1')}/github`,
    `//${host}/mcp`,
    `//${host}/github`,
    `///${host}/github`,
    `/\\${host}/github`,
    `\\\\${host}\\github`,
    `/http://${host}/github`,
    `/github//${host}/`,
    `/github@${host}/`,
    `@${host}/github`,
    `:80@${host}/github`,
    `.${host}/github`,
    '/mcp/../x',
    '/mcp%2f..%2fx',
    '/github/..;/github',
  ]
  await withoutUpstream(world, async () => {
    for (const target of targets) {
      // Kept alive by the client: that the answer arrives at all shows that the gateway closed.
      const answer = await raw(world, access, { target, headers: [['Connection', 'keep-alive']] })
      assert.ok([400, 404].includes(answer.status), `${target}: ${answer.statusLine}`)
      assert.not.match(answer.raw, world.github.origin)
    }
  })
  world.evil.assertUntouched()
  await stillWorks(world)
})

const NO_PATHS = [
  '/',
  '/github/',
  '/github//',
  '//github',
  '/./github',
  '/github/.',
  '/github/..',
  '/github/../github',
  '/x/../github',
  '/%2e/github',
  '/%2e%2e/github',
  '/.%2e/github',
  '/..%2fgithub',
  '/x%2f..%2fgithub',
  '/%252e%252e/github',
  '/%67ithub',
  '/githu%62',
  '/github%2f',
  '/github%5c',
  '/github\\',
  '\\github',
  '/\\github',
  '/github;x=1',
  '/github;/',
  '/;/github',
  '/github%3b',
  '/github%00',
  '/github\u0000',
  '/github%09',
  '/github\t',
  '/github%20',
  '/github%0d%0aX-Injected:%201',
  '/github#x',
  '/github%23',
  '/github%3f',
  '/github,',
  '/GITHUB',
  '/Github',
  '/github.json',
  '/githubx',
  '/githu',
  '/github/mcp',
  '/-/github',
  '/gith\u00fcb',
  '/github\u007f',
  'github',
  '*',
  '?/github',
  '/github/%c0%ae%c0%ae/github',
]

test('sec-P7: only the exact path of a route is that route', async (context) => {
  const { world, access } = await startWithToken(context)
  assert.ok(NO_PATHS.length >= 25)
  await withoutUpstream(world, async () => {
    for (const target of NO_PATHS) {
      const answer = await raw(world, access, { target })
      assert.ok([400, 404].includes(answer.status), `${target}: ${answer.statusLine}`)
      assert.not.match(answer.raw, /x-injected/i)
    }
  })
  assert.is((await raw(world, access)).status, 200)
  assert.is((await raw(world, access, { target: '/github?x=/../y' })).status, 200)
  assert.ok(world.github.recorder.to('/mcp/').every(({ url }) => url === '/mcp/'))
})

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

test("sec-P9, sec-P23: an upstream's headers act on nothing, and its answers are stored by nobody", async (context) => {
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
    assert.is(answer.headers.get('mcp-session-id'), 's')
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
      assert.is(answer.status, status < 400 ? 502 : status, label)
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
  void answered.then(() => {
    over = true
  })
  const chunk = Buffer.alloc(64 * 1024, ' ')
  while (sent < bytes && !over) {
    sent += chunk.length
    if (!outgoing.write(chunk)) await Promise.race([once(outgoing, 'drain'), answered])
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
      const call = fetch(world.mcpUrl, { method, headers, body, signal: gone.signal }).then((answer) =>
        answer.text(),
      )
      const arrived = await world.github.recorder.arrival('/mcp/', nth)
      gone.abort()
      await call.catch(() => {})
      assert.is(await arrived.outcome, 'aborted')
      restore()
    }
  }
  await stillWorks(world)
})

test('sec-P19: a page of another site reaches no route, by its own name or by its Origin', async (context) => {
  const { world, access } = await startWithToken(context)
  const { host, port } = new URL(world.url)
  const refused: [headers: [string, string][], statuses: number[]][] = [
    [[['Origin', 'https://evil.test']], [403]],
    [[['Origin', 'null']], [403]],
    [[['Origin', `http://localhost.evil.test:${port}`]], [403]],
    [[['Origin', `http://evil.test:${port}`]], [403]],
    [[['Origin', 'chrome-extension://abc']], [403]],
    [[['Origin', '']], [403]],
    // 421 is what RFC 9110 §15.5.20 has for a Host that is not served here; the request goes no further either way.
    [[['Host', 'evil.test']], [403, 421]],
    [[['Host', `evil.test:${port}`]], [403, 421]],
    [[['Host', `${host}.evil.test`]], [403, 421]],
    [[['Host', `localhost.evil.test:${port}`]], [403, 421]],
    [[['Host', `127.0.0.1.evil.test:${port}`]], [403, 421]],
    [[['Host', `localhost:${port}@evil.test`]], [400, 403, 421]],
    [[['Host', '']], [400, 403, 421]],
    [
      [
        ['Host', `evil.test:${port}`],
        ['Origin', `http://evil.test:${port}`],
      ],
      [403, 421],
    ],
  ]
  await withoutUpstream(world, async () => {
    for (const [headers, statuses] of refused) {
      for (const method of ['POST', 'GET', 'DELETE']) {
        const answer = await raw(world, access, { method, headers, ...(method !== 'POST' && { body: '' }) })
        assert.ok(
          statuses.includes(answer.status),
          `${method} ${JSON.stringify(headers)}: ${answer.statusLine}`,
        )
        assert.is(answer.header('access-control-allow-origin'), undefined)
      }
    }
  })
  for (const headers of [
    [],
    [['Origin', world.url]],
    [['Host', `127.0.0.1:${port}`]],
    [['Host', `LOCALHOST:${port}`]],
  ] as [string, string][][]) {
    assert.is((await raw(world, access, { headers })).status, 200, JSON.stringify(headers))
  }
})

test('sec-P19: DNS rebinding gets through a gateway without login neither by itself nor with a willing click', async (context) => {
  const world = await startWorld(context, {
    yaml: (github) => document(githubRoute('github', github)) + NO_LOGIN,
  })
  const { port } = new URL(world.url)
  const rebound = `evil.test:${port}`
  const client = await Client.register(world.url, { redirect_uris: ['https://evil.test/cb'] })
  const { url } = client.trip()
  const shown = await sendRaw(world.url, { target: url.pathname + url.search, headers: [['Host', rebound]] })
  // The page of a stranger's own making: what counts is that its script cannot send the form.
  const fields = [...shown.body.matchAll(/name="(transaction|csrf)" value="([^"]+)"/g)].map(
    ([, name = '', value = '']) => [name, value],
  )
  const form = new URLSearchParams({ ...Object.fromEntries(fields), decision: 'allow' }).toString()
  const cookie = shown
    .all('set-cookie')
    .map((line) => line.split(';')[0])
    .join('; ')
  assert.ok(fields.length === 2 && cookie !== '')
  const headers: [string, string][] = [
    ['Host', rebound],
    ['Origin', `http://${rebound}`],
    ['Sec-Fetch-Site', 'same-origin'],
    ['Cookie', cookie],
    ['Content-Type', 'application/x-www-form-urlencoded'],
  ]
  const sent = await withoutUpstream(world, () =>
    sendRaw(world.url, { method: 'POST', target: '/consent', headers, body: form }),
  )
  assert.equal([sent.status, sent.header('location')], [403, undefined])
  const { tokens } = await obtainTokens({ client: await Client.register(world.url) })
  const call = await withoutUpstream(world, () => raw(world, tokens.access, { headers: [['Host', rebound]] }))
  assert.ok([403, 421].includes(call.status))
})

test('sec-P22: tunnels, traces and upgrades are refused', async (context) => {
  const { world, access } = await startWithToken(context)
  const { host } = new URL(world.evil.url)
  const authorization = `Authorization: Bearer ${access}\r\n`
  const own = `Host: ${new URL(world.url).host}\r\n`
  const closed = async (bytes: string) => {
    const answer = await sendRaw(world.url, bytes).catch(() => undefined)
    return answer?.raw ?? ''
  }
  await withoutUpstream(world, async () => {
    for (const target of [host, 'evil.test:443', new URL(world.github.origin).host, '/github']) {
      const answer = await closed(`CONNECT ${target} HTTP/1.1\r\n${own}${authorization}\r\n`)
      assert.not.match(answer, / 2\d\d /, answer)
    }
    for (const method of [
      'TRACE',
      'TRACK',
      'OPTIONS',
      'PUT',
      'PATCH',
      'HEAD',
      'PROPFIND',
      'PURGE',
      'post',
      'FOO',
    ]) {
      const answer = await closed(
        `${method} /github HTTP/1.1\r\n${own}${authorization}Connection: close\r\n\r\n`,
      )
      assert.match(answer, /^HTTP\/1\.1 4(00|04|05) /, `${method}: ${answer}`)
      assert.not.match(answer, access, 'nothing is echoed')
    }
    const preface = await closed('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    assert.not.match(preface, / 2\d\d /)
    const version = await closed(`POST /github HTTP/3.7\r\n${own}${authorization}\r\n`)
    assert.not.match(version, / 2\d\d /)
  })
  for (const protocol of ['h2c', 'websocket', 'TLS/1.0', 'mcp']) {
    const headers: [string, string][] = [
      ['Connection', 'Upgrade, HTTP2-Settings, close'],
      ['Upgrade', protocol],
      ['HTTP2-Settings', 'AAMAAABkAAQAoAAAAAIAAAAA'],
      ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
      ['Sec-WebSocket-Version', '13'],
    ]
    const nth = world.github.recorder.count('/mcp/')
    const answer = await raw(world, access, { headers })
    assert.is.not(answer.status, 101)
    // Ignoring an upgrade is an answer too (RFC 9110 §7.8); what matters is that none of it travels on.
    for (const { headers: seen } of world.github.recorder.to('/mcp/').slice(nth)) {
      assert.equal(
        [seen.upgrade, seen['http2-settings'], seen['sec-websocket-key']],
        [undefined, undefined, undefined],
      )
      assert.is(seen.connection, 'keep-alive')
    }
  }
  await stillWorks(world)
})

test("sec-T14: an upstream that refuses its own token sends the client to the gateway's metadata, not to its own", async (context) => {
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

test("sec-P3, sec-P4: neither side's credential reaches the other side", async (context) => {
  const { world, access, upstreamToken } = await startWithToken(context, {
    yaml: (github) =>
      document(
        githubRoute('github', github).replace(
          'upstream: ',
          'upstream:\n      forward_headers: [X-Trace]\n      url: ',
        ),
      ) + TWO_USERS,
  })
  let seen: IncomingMessage | undefined
  const restore = script(world, (request, response) => {
    seen = request
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end('{"jsonrpc":"2.0","id":1,"result":{}}')
  })
  const cookie = 'mcpgw_session=canary-cookie'
  const odd: [string, string][] = [
    ['Cookie', cookie],
    ['X-Trace', 'kept'],
    ['Proxy-Authorization', `Bearer ${access}`],
    ['X-Api-Key', access],
    ['X-Forwarded-User', 'root'],
    ['X_Forwarded_User', 'root'],
    ['Mcp_Session_Id', 'twin'],
    ['Connection', 'close, authorization, x-trace, mcp-session-id'],
    ['Mcp-Session-Id', 'nominated'],
    ['Referer', 'https://canary.test/'],
  ]
  const answer = await raw(world, access, { headers: odd })
  restore()
  assert.is(answer.status, 200)
  assert.not.match(answer.raw, upstreamToken)
  assert.is(
    seen?.headers.authorization,
    `Bearer ${upstreamToken}`,
    'what Connection nominates cannot strip what we add',
  )
  const names = Object.keys(seen?.headers ?? {}).sort()
  assert.equal(names, [
    'accept',
    'accept-encoding',
    'authorization',
    'connection',
    'content-length',
    'content-type',
    'host',
  ])
  assert.not.ok(world.github.recorder.saw(access))
  assert.not.ok(world.github.recorder.saw('canary'))
})

test('sec-A9: pages can be read by no script of another site, and nothing allows credentials', async (context) => {
  const { world, access } = await startWithToken(context)
  const browser = newBrowser()
  const { page } = await openConsent(browser, await Client.register(world.url))
  const origin = { origin: 'https://evil.test' }
  const answers = [
    await send(page.url, { headers: origin }),
    await postForm(`${world.url}/login`, {}, origin),
    await postForm(`${world.url}/consent`, {}, origin),
    await send(`${world.url}/upstream/callback/github`, { headers: origin }),
    await callMcp(world.mcpUrl, access, INITIALIZE, origin),
  ]
  for (const { headers } of answers) assert.is(headers.get('access-control-allow-origin'), null)
  for (const path of ['/token', '/register', '/.well-known/oauth-authorization-server']) {
    const { headers } = await send(world.url + path, { headers: origin })
    assert.is(headers.get('access-control-allow-credentials'), null)
  }
  const end = await allow(browser, page)
  assert.ok(end.sentTo?.searchParams.has('code'))
  assertErrorPage(await deny(browser, page), [400, 403, 409])
})

test.run()
