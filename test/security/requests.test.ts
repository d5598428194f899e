// Requests on the MCP path with a valid token in hand: none makes the gateway carry a credential elsewhere, or more
// to the upstream than it may.
import type { IncomingMessage } from 'node:http'
import * as assert from 'uvu/assert'
import { type RawRequest, sendRaw } from '../support/raw.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute } from '../support/yaml.ts'
import { callMcp, callTool, send } from './client.ts'
import { MESSAGE, raw, script, startWithToken } from './proxy-world.ts'
import { stillWorks, TWO_USERS, withoutUpstream } from './world.ts'

const test = suite('security/requests')

test('sec-P1, spec-T8: a token in the query opens nothing, reaches no upstream and no log', async (context) => {
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

test('sec-P2, spec-R2: a header given twice is refused, whichever of the two is good', async (context) => {
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
    for (const method of ['TRACE', 'TRACK', 'PUT', 'PATCH', 'HEAD', 'PROPFIND', 'PURGE', 'post', 'FOO']) {
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

test("sec-P3, sec-P4, spec-P1, spec-P9: neither side's credential reaches the other side", async (context) => {
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
      assert.match(plain, target === '/nowhere' ? 'HTTP/1.1 404 ' : `"${world.url}`)
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

/** What gateways, proxies and their monitors have let through for, or been told to. */
const MAGIC: [string, string][] = [
  ...[
    'X-Forwarded-User',
    'X-Forwarded-Email',
    'X-Forwarded-Access-Token',
    'X-Forwarded-For',
    'X-Auth-Request-User',
    'X-Auth-User',
    'X-Authenticated-User',
    'X-Authenticated-Userid',
    'X-Authenticated-Subject',
    'X-Remote-User',
    'Remote-User',
    'X-User',
    'X-User-Id',
    'X-Userinfo',
    'X-Subject',
    'X-Consumer-Id',
    'X-Consumer-Username',
    'X-Credential-Identifier',
    'X-Api-Key',
    'Api-Key',
    'X-Access-Token',
    'X-Auth-Token',
    'X-Token',
    'X-Session-Token',
    'X-Id-Token',
    'X-Amzn-Oidc-Data',
    'X-Amzn-Oidc-Identity',
    'X-Amzn-Oidc-Accesstoken',
    'X-Goog-Authenticated-User-Email',
    'X-Goog-Iap-Jwt-Assertion',
    'Cf-Access-Jwt-Assertion',
    'Cf-Access-Authenticated-User-Email',
    'X-Ms-Client-Principal',
    'X-Ms-Token-Aad-Access-Token',
    'X-Pomerium-Jwt-Assertion',
    'X-Envoy-Internal',
    'X-Envoy-External-Address',
    'X-Envoy-Original-Path',
    'X-Original-Url',
    'X-Rewrite-Url',
    'X-Http-Method-Override',
    'X-Method-Override',
    'X-Internal',
    'X-Internal-Request',
    'X-Internal-Token',
    'X-Gateway-Internal',
    'X-Mcp-Internal',
    'X-Mcp-Init',
    'Mcp-Init-Host',
    'Router-Key',
    'X-Kuadrant-Internal',
    'X-Skip-Auth',
    'X-Bypass-Auth',
    'X-No-Auth',
    'X-Auth-Bypass',
    'X-Debug',
    'X-Test',
    'X-Admin',
    'X-Trusted',
    'X-Trusted-Proxy',
    'X-Real-Ip',
    'X-Client-Ip',
    'X-Cluster-Client-Ip',
    'True-Client-Ip',
    'Cf-Connecting-Ip',
    'Forwarded',
    'Via',
    'Proxy-Authorization',
    'Proxy-Connection',
    'X-Proxy-Authorization',
    'X-Authorization',
    'Authorization-Bearer',
    'Authentication',
    'X-Ssl-Client-Verify',
    'X-Ssl-Client-S-Dn',
    'X-Client-Cert',
    'X-Forwarded-Client-Cert',
    'X-Health-Check',
    'X-Healthcheck',
    'X-Probe',
    'X-Kubernetes-Probe',
    'X-Prometheus-Scrape-Timeout-Seconds',
    'Mcp-Session-Id',
    'Last-Event-Id',
    'Cookie',
    'Sec-Fetch-Site',
    'Sec-Websocket-Protocol',
    'Upgrade-Insecure-Requests',
    'Dpop',
    'Signature',
    'X-Hub-Signature',
    'X-Request-Id',
    'Traceparent',
    'Baggage',
  ].flatMap((name): [string, string][] => [
    [name, 'true'],
    [name, '127.0.0.1'],
  ]),
  ...[
    'kube-probe/1.31',
    'GoogleHC/1.0',
    'ELB-HealthChecker/2.0',
    'Amazon-Route53-Health-Check-Service',
    'Consul Health Check',
    'Envoy/HC',
    'HAProxy',
    'Prometheus/3.0',
    'Blackbox Exporter/0.25',
    'Datadog Agent/7',
    'UptimeRobot/2.0',
    'curl/8',
    'Claude-User',
    'python-httpx/0.28',
    '',
  ].map((value): [string, string] => ['User-Agent', value]),
]

test('sec-P21, spec-R1: no header and no program but a bearer token opens a route', async (context) => {
  const { world, access } = await startWithToken(context)
  assert.ok(MAGIC.length >= 200)
  const { host } = new URL(world.url)
  await withoutUpstream(world, async () => {
    for (const [name, value] of MAGIC) {
      for (const carried of new Set([value, name === 'User-Agent' ? value : `Bearer ${access}`])) {
        const headers: [string, string][] = [
          ['Host', host],
          ['Content-Type', 'application/json'],
          [name, carried],
        ]
        const answer = await sendRaw(world.url, { method: 'POST', target: '/github', headers, body: MESSAGE })
        assert.is(answer.status, 401, `${name}: ${carried}`)
        // RFC 6750 §3.1: nobody presented a token.
        assert.match(answer.header('www-authenticate') ?? '', /^Bearer (?!error)/)
      }
    }
  })
  await stillWorks(world)
})

test.run()
