// The upstream's tokens, kept fresh behind the client's back: once for everybody, and never at the price of the link.
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { connectV1, connectV2 } from '../support/clients.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { startGithub } from '../support/github.ts'
import { type Oidc, startOidc } from '../support/oidc.ts'
import { suite } from '../support/suite.ts'
import { document, githubEnv, githubRoute, oidcRoute } from '../support/yaml.ts'

const test = suite('flow/upstream-refresh')

const HOUR_MS = 3_600_000
const person = { ...USER, upstreamName: 'ann' }
const LONG_TOKENS = 'tokens: { access_ttl: 12h }\n'

function clock() {
  let offsetMs = 0
  return {
    now: () => Date.now() + offsetMs,
    forward: (ms: number) => {
      offsetMs += ms
    },
  }
}

const refreshes = (oidc: Oidc) =>
  oidc.recorder.to('POST /token').filter(({ form }) => form.get('grant_type') === 'refresh_token')

test('spec-H5, spec-U8: 50 concurrent calls on an expired link: the upstream sees exactly one refresh, all are answered', async ({
  after,
}) => {
  const oidc = await startOidc({ rotateRefreshTokens: true })
  after(() => oidc.close())
  const time = clock()
  const gateway = await startGateway({ yaml: LONG_TOKENS + document(oidcRoute('oidc', oidc)), now: time.now })
  after(() => gateway.close())
  const session = await connectV1(`${gateway.url}/oidc`, { person })
  after(() => session.close())

  time.forward(2 * HOUR_MS)
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => session.call('add', { a: n, b: 1 })))

  assert.equal(
    answers,
    Array.from({ length: 50 }, (_, n) => String(n + 1)),
  )
  assert.is(refreshes(oidc).length, 1)
  assert.is(session.provider.signIns.length, 1, 'nobody signed in again')
})

test('spec-P7: an upstream that revoked the token early is met with one refresh and one replay', async ({
  after,
}) => {
  const oidc = await startOidc()
  after(() => oidc.close())
  const gateway = await startGateway({ yaml: document(oidcRoute('oidc', oidc)) })
  after(() => gateway.close())
  const session = await connectV2(`${gateway.url}/oidc`, { person, mode: 'auto' })
  after(() => session.close())

  const mcp = intercept(oidc, 'POST /mcp')
  mcp.answer = (response) => {
    mcp.answer = undefined
    response
      .writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${oidc.issuer}/elsewhere"` })
      .end()
  }

  assert.is(await session.call('add', { a: 4, b: 4 }), '8')
  assert.is(refreshes(oidc).length, 1)
})

test('spec-P7, spec-H5: a link that the upstream ended gives 401 and invalid_grant; signing in again heals it', async ({
  after,
}) => {
  const oidc = await startOidc({ rotateRefreshTokens: true })
  after(() => oidc.close())
  const time = clock()
  const gateway = await startGateway({ yaml: LONG_TOKENS + document(oidcRoute('oidc', oidc)), now: time.now })
  after(() => gateway.close())
  const session = await connectV1(`${gateway.url}/oidc`, { person })
  after(() => session.close())
  const tokens = session.provider.current
  const clientId = session.provider.clientInfo?.client_id ?? ''

  const token = intercept(oidc, 'POST /token')
  token.answer = (response) =>
    response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}')
  time.forward(2 * HOUR_MS)

  const call = await fetch(`${gateway.url}/oidc`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens?.access_token}`, 'content-type': 'application/json' },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  })
  assert.is(call.status, 401)
  assert.match(call.headers.get('www-authenticate') ?? '', 'error="invalid_token"')
  assert.match(
    call.headers.get('www-authenticate') ?? '',
    `resource_metadata="${gateway.url}/.well-known/oauth-protected-resource/oidc"`,
  )
  const refreshed = await fetch(`${gateway.url}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: tokens?.refresh_token ?? '',
      client_id: clientId,
    }),
  })
  assert.is(refreshed.status, 400)
  assert.is(((await refreshed.json()) as { error: string }).error, 'invalid_grant')

  token.answer = undefined
  const again = await connectV1(`${gateway.url}/oidc`, { person })
  after(() => again.close())
  assert.match(await again.call('whoami'), 'ann')
  const old = await fetch(`${gateway.url}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: tokens?.refresh_token ?? '',
      client_id: clientId,
    }),
  })
  assert.is(old.status, 200, 'the other clients of that person go on')
})

test('spec-H5: an upstream token endpoint that fails keeps the link and is reported as 503 with Retry-After', async ({
  after,
}) => {
  const oidc = await startOidc()
  after(() => oidc.close())
  const time = clock()
  const gateway = await startGateway({ yaml: LONG_TOKENS + document(oidcRoute('oidc', oidc)), now: time.now })
  after(() => gateway.close())
  const session = await connectV1(`${gateway.url}/oidc`, { person })
  after(() => session.close())
  const bearer = {
    authorization: `Bearer ${session.provider.current?.access_token}`,
    'content-type': 'application/json',
  }

  const token = intercept(oidc, 'POST /token')
  token.answer = (response) => response.writeHead(503, { 'retry-after': '7' }).end('busy')
  time.forward(2 * HOUR_MS)
  const call = () =>
    fetch(`${gateway.url}/oidc`, {
      method: 'POST',
      headers: bearer,
      body: '{"jsonrpc":"2.0","id":"x-7","method":"ping"}',
    })
  const refused = await call()
  assert.is(refused.status, 503)
  assert.is(refused.headers.get('retry-after'), '7')
  assert.is(((await refused.json()) as { id: string }).id, 'x-7')
  const clientRefresh = await fetch(`${gateway.url}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: session.provider.current?.refresh_token ?? '',
      client_id: session.provider.clientInfo?.client_id ?? '',
    }),
  })
  assert.is(clientRefresh.status, 200, 'nobody is logged out by an outage')
  const asked = oidc.recorder.to('POST /token').length

  token.answer = undefined
  assert.is((await call()).status, 503, 'the upstream is left alone for as long as it asked')
  assert.is(oidc.recorder.to('POST /token').length, asked)
  time.forward(7_000)
  assert.is(await session.call('add', { a: 1, b: 2 }), '3')
  assert.is(session.provider.signIns.length, 1)
})

test('spec-U8, spec-H5: an upstream without refresh tokens is used for as long as its token does, then the person signs in again', async ({
  after,
}) => {
  const github = await startGithub()
  after(() => github.close())
  const gateway = await startGateway({
    yaml: document(githubRoute('github', github)),
    env: githubEnv(github),
  })
  after(() => gateway.close())
  const session = await connectV1(`${gateway.url}/github`, { person })
  after(() => session.close())
  assert.match(await session.call('whoami'), 'octocat')

  for (const { token } of github.tokens()) github.revoke(token)
  const call = await fetch(`${gateway.url}/github`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${session.provider.current?.access_token}`,
      'content-type': 'application/json',
    },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  })
  assert.is(call.status, 401)
  const again = await connectV1(`${gateway.url}/github`, { provider: session.provider })
  after(() => again.close())
  assert.match(await again.call('whoami'), 'octocat')
  assert.is(session.provider.signIns.length, 2)
  assert.is(github.recorder.count('POST /login/oauth/access_token'), 2)
})

/** Answers requests such as `POST /token` in the server's place while `answer` is set. */
function intercept({ server }: Oidc, wanted: string) {
  const own = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  const instead: { answer: ((response: ServerResponse) => void) | undefined } = { answer: undefined }
  server.removeAllListeners('request')
  server.on('request', (request, response) => {
    if (`${request.method} ${request.url}` === wanted && instead.answer !== undefined)
      return instead.answer(response)
    for (const listener of own) listener(request, response)
  })
  return instead
}

test.run()
