import * as assert from 'uvu/assert'
import { HttpError } from '../../src/errors.ts'
import {
  checkSingleHeaders,
  isMcpBody,
  isStreamRequest,
  requestHeaders,
  responseHeaders,
} from '../../src/upstream/headers.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/headers')

interface Case {
  forward?: string[]
  credentials?: Record<string, string>
  fixed?: Record<string, string>
}

/** What reaches the upstream, without the `accept-encoding: identity` that always does. */
function sent(rawHeaders: string[], { forward = [], credentials = {}, fixed = {} }: Case = {}): string[] {
  const headers = requestHeaders(rawHeaders, { forward }, { headers: credentials }, fixed)
  const coding = headers.indexOf('accept-encoding')
  assert.equal(headers.splice(coding, 2), ['accept-encoding', 'identity'])
  return headers
}

test('spec-P2: MCP and tracing headers go through, whatever their case, with their values untouched', () => {
  const headers = [
    ['Accept', 'application/json, text/event-stream'],
    ['ACCEPT-LANGUAGE', 'de;q=0.9'],
    ['content-type', 'application/json; charset=utf-8'],
    ['Last-Event-Id', ' 7'],
    ['User-Agent', 'client/1'],
    ['traceparent', '00-a-b-01'],
    ['tracestate', 'v=1'],
    ['Mcp-Session-Id', 'S1'],
    ['MCP-Protocol-Version', '2026-07-28'],
    ['mcp-method', 'tools/call'],
    ['Mcp-Name', '=?base64?w6Q=?='],
    ['Mcp-Param-Anything-New', 'v\xe4l'],
  ]
  assert.equal(
    sent(headers.flat()),
    headers.flatMap(([name = '', value = '']) => [name.toLowerCase(), value]),
  )
})

test('sec-P3, spec-P1, spec-P9: only what is listed goes through, never a credential, a framing or a hop-by-hop header', () => {
  const names = [
    'authorization',
    'cookie',
    'origin',
    'referer',
    'host',
    'x-forwarded-for',
    'x-forwarded-host',
    'forwarded',
    'x-real-ip',
    'accept-encoding',
    'content-encoding',
    'content-length',
    'expect',
    'connection',
    'keep-alive',
    'proxy-authorization',
    'proxy-connection',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'x-api-key',
    'x-anything',
    'sec-fetch-site',
  ]
  assert.equal(sent(names.flatMap((name) => [name, 'x'])), [])
})

test('forward_headers opens further headers, but none of the forbidden', () => {
  const forward = [
    'X-MCP-Toolsets',
    'authorization',
    'cookie',
    'origin',
    'host',
    'x-forwarded-for',
    'te',
    'content-length',
  ]
  const rawHeaders = [
    'X-Mcp-Toolsets',
    'repos',
    ...forward.slice(1).flatMap((name) => [name, 'x']),
    'x-other',
    'x',
  ]
  assert.equal(sent(rawHeaders, { forward }), ['x-mcp-toolsets', 'repos'])
})

test('sec-P4: a name with an underscore is never forwarded, not even when it is listed', () => {
  const rawHeaders = [
    'mcp_session_id',
    '1',
    'mcp-session_id',
    '2',
    'x_mcp_toolsets',
    '3',
    'content_type',
    '4',
  ]
  assert.equal(sent(rawHeaders, { forward: ['x_mcp_toolsets', 'x-mcp-toolsets', 'mcp_session_id'] }), [])
})

test('sec-P3: what Connection nominates is dropped, in any case and any of its copies', () => {
  const rawHeaders = [
    'Connection',
    'close, Mcp-Session-Id',
    'mcp-session-id',
    'a',
    'connection',
    'ACCEPT',
    'Accept',
    'b',
  ]
  assert.equal(sent([...rawHeaders, 'mcp-method', 'c']), ['mcp-method', 'c'])
})

test('Connection cannot strip what the gateway adds', () => {
  const added = { credentials: { authorization: 'Bearer u' }, fixed: { 'mcp-readonly': '1' } }
  assert.equal(sent(['connection', 'authorization, mcp-readonly'], added), [
    'mcp-readonly',
    '1',
    'authorization',
    'Bearer u',
  ])
})

test("the gateway's headers replace the client's copies, and credentials replace fixed ones", () => {
  const rawHeaders = ['User-Agent', 'client', 'X-Api-Key', 'forged', 'x-api-key', 'forged', 'mcp-name', 'n']
  const headers = sent(rawHeaders, {
    forward: ['x-api-key'],
    fixed: { 'User-Agent': 'gateway', 'X-Api-Key': 'fixed' },
    credentials: { 'x-api-key': 'real' },
  })
  assert.equal(headers, ['mcp-name', 'n', 'user-agent', 'gateway', 'x-api-key', 'real'])
})

test('a repeated list header keeps all its lines', () => {
  assert.equal(sent(['Accept', 'a/b', 'accept', 'c/d']), ['accept', 'a/b', 'accept', 'c/d'])
})

test('sec-P2, sec-P17: a header that says who or what may appear only once', () => {
  const twice = [
    'authorization',
    'host',
    'mcp-session-id',
    'mcp-method',
    'mcp-name',
    'mcp-protocol-version',
    'content-type',
  ]
  for (const name of twice) {
    const error = thrown(() => checkSingleHeaders([name, 'same', 'accept', 'x', name.toUpperCase(), 'same']))
    assert.instance(error, HttpError, name)
    assert.is((error as HttpError).status, 400)
    assert.equal((error as HttpError).detail, { header: name })
  }
})

test('sec-P17: two session ids joined by a proxy before us are refused like two headers', () => {
  for (const value of ['a, b', 'a,b', ',']) {
    assert.instance(
      thrown(() => checkSingleHeaders(['Mcp-Session-Id', value])),
      HttpError,
      value,
    )
  }
})

test('an ordinary request passes the check of single headers', () => {
  checkSingleHeaders([
    'Host',
    'h',
    'Authorization',
    'Bearer a',
    'Mcp-Session-Id',
    'a',
    'Accept',
    'a',
    'Accept',
    'b, c',
  ])
  checkSingleHeaders(['mcp-name', 'a, b'])
  checkSingleHeaders([])
})

test('GET and subscriptions/listen may stay open, other requests are calls', () => {
  assert.ok(isStreamRequest('GET', []))
  assert.ok(isStreamRequest('POST', ['Accept', 'x', 'MCP-Method', 'subscriptions/listen']))
  assert.not.ok(isStreamRequest('POST', []))
  assert.not.ok(isStreamRequest('POST', ['mcp-method', 'tools/call']))
  assert.not.ok(isStreamRequest('DELETE', ['mcp-method', 'subscriptions/listen']))
})

test('sec-P9, spec-P9: an answer keeps its MCP headers and nothing that acts on the origin', () => {
  const headers = responseHeaders({
    'content-type': 'application/json',
    'content-length': '2',
    'mcp-session-id': 'S1',
    'mcp-protocol-version': '2025-06-18',
    mcp_session_id: 'twin',
    'mcp-session_id': 'twin',
    'retry-after': '3',
    'set-cookie': ['a=1'],
    'www-authenticate': 'Bearer resource_metadata="https://evil.example"',
    'access-control-allow-origin': '*',
    'access-control-allow-credentials': 'true',
    location: 'https://evil.example',
    refresh: '0;url=https://evil.example',
    link: '</evil.js>; rel=preload',
    'alt-svc': 'h3=":443"',
    'clear-site-data': '"*"',
    'content-security-policy': 'x',
    'strict-transport-security': 'max-age=0',
    'cache-control': 'public, max-age=600',
    etag: '"1"',
    server: 'upstream',
    connection: 'close',
    'transfer-encoding': 'chunked',
    'content-encoding': 'gzip',
    trailer: 'x',
    upgrade: 'h2c',
  })
  assert.equal(headers, {
    'content-type': 'application/json',
    'content-length': '2',
    'mcp-session-id': 'S1',
    'mcp-protocol-version': '2025-06-18',
    'retry-after': '3',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  })
})

test('spec-P5: an event stream forbids buffering and transformation', () => {
  assert.equal(responseHeaders({ 'content-type': 'Text/Event-Stream; charset=utf-8' }), {
    'content-type': 'Text/Event-Stream; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
  })
})

test('sec-P10: only plain JSON and event streams count as MCP', () => {
  const mcp = [
    'application/json',
    'Application/JSON ; charset=utf-8',
    'text/event-stream',
    'application/problem+json',
  ]
  for (const type of mcp) assert.ok(isMcpBody({ 'content-type': type }), type)
  const other = [
    'text/html',
    'text/plain',
    'application/javascript',
    'image/svg+xml',
    'text/html, application/json',
    'application/json, text/html',
    'application/json; charset=utf-8, text/html',
    'application/jsonp',
    'application/json+html',
    'x/application/json',
    '',
  ]
  for (const type of other) assert.not.ok(isMcpBody({ 'content-type': type }), type)
  assert.not.ok(isMcpBody({}))
})

test('sec-P13: a compressed body counts as none of ours', () => {
  const type = { 'content-type': 'application/json' }
  assert.ok(isMcpBody({ ...type, 'content-encoding': 'identity' }))
  for (const coding of ['gzip', 'br', 'identity, gzip'])
    assert.not.ok(isMcpBody({ ...type, 'content-encoding': coding }))
})

function thrown(work: () => void): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}

test('what only the gateway says is withheld from clients, in any spelling, even what MCP lets pass', () => {
  const withheld = new Set(['x-user', 'mcp-user'])
  const raw = ['X-USER', 'boss', 'x_user', 'boss', 'Mcp-User', 'boss', 'Mcp-Method', 'tools/list']
  const policy = { forward: ['X-User', 'x_user'], withheld }
  assert.equal(requestHeaders(raw, policy, { headers: {} }, { 'x-user': 'ann' }), [
    ...['mcp-method', 'tools/list'],
    ...['accept-encoding', 'identity'],
    ...['x-user', 'ann'],
  ])
  assert.equal(requestHeaders(raw, policy, { headers: {} }, {}), [
    ...['mcp-method', 'tools/list'],
    ...['accept-encoding', 'identity'],
  ])
})

test('a name that CGI, WSGI or PHP take for one of ours stays behind like ours', () => {
  const raw = ['X-User', 'boss', 'X.User', 'boss', 'User-Agent', 'boss', 'X-Team', 'ops']
  const policy = { forward: ['X-User', 'X.User', 'X-Team'], withheld: new Set(['x-user']) }
  const passed = ['x-team', 'ops', 'accept-encoding', 'identity']
  assert.equal(requestHeaders(raw, policy, { headers: {} }, { user_agent: 'ours' }), [
    ...passed,
    ...['user_agent', 'ours'],
  ])
  const key = { headers: { X_User: 'a-key' } }
  const unasked = { forward: ['X-User', 'X.User', 'X-Team'] }
  assert.equal(requestHeaders(raw, unasked, key, { user_agent: 'ours' }), [
    ...passed,
    ...['user_agent', 'ours'],
    ...['x_user', 'a-key'],
  ])
})

test.run()
