// The gateway as an OAuth client: what it asks an upstream for, and what it makes of every kind of answer.
import type { IncomingMessage } from 'node:http'
import * as assert from 'uvu/assert'
import { OAuthError } from '../../src/errors.ts'
import {
  authorizationUrl,
  checkAnswer,
  createCodeVerifier,
  redeem,
} from '../../src/upstream/authorization-code.ts'
import { controlHttp } from '../../src/upstream/http.ts'
import type { UpstreamServer, UpstreamTokens } from '../../src/upstream/server.ts'
import { listen } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { type Recorder, record } from '../support/recorder.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('upstream/authorization-code')
const NOW = 1_700_000_000_000
const STATE = 'the state'
/** RFC 7636, appendix B. */
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

const describe = (origin: string, change: Partial<UpstreamServer> = {}): UpstreamServer => ({
  issuer: undefined,
  issParameterSupported: false,
  authorizationEndpoint: `${origin}/authorize?tenant=1`,
  tokenEndpoint: `${origin}/token`,
  trust: 'configured',
  clientId: 'gateway id',
  clientSecret: undefined,
  authMethod: 'none',
  authorizationParameters: {},
  redirectUri: 'https://gw.example/upstream/callback/as',
  ...change,
})

const asked = {
  state: STATE,
  codeVerifier: VERIFIER,
  scopes: ['a', 'b:c'],
  resource: 'https://mcp.example/mcp',
}

test('spec-U2, spec-U3: the authorization URL carries PKCE, state, scope and resource, and keeps the query of the endpoint', async () => {
  const url = new URL(await authorizationUrl(describe('https://as.example'), asked))
  assert.is(url.origin + url.pathname, 'https://as.example/authorize')
  assert.equal(Object.fromEntries(url.searchParams), {
    tenant: '1',
    response_type: 'code',
    client_id: 'gateway id',
    redirect_uri: 'https://gw.example/upstream/callback/as',
    state: STATE,
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    scope: 'a b:c',
    resource: 'https://mcp.example/mcp',
  })
})

test('spec-U3: without scopes none is asked for, without a resource none is named', async () => {
  const url = new URL(
    await authorizationUrl(describe('https://as.example'), { ...asked, scopes: [], resource: undefined }),
  )
  assert.not.ok(url.searchParams.has('scope') || url.searchParams.has('resource'))
})

test('configured parameters are added and replace nothing that carries security', async () => {
  const authorizationParameters = {
    prompt: 'consent',
    state: 'fixed',
    redirect_uri: 'https://evil.example',
    code_challenge: 'x',
    client_id: 'x',
    response_type: 'token',
  }
  const url = new URL(
    await authorizationUrl(describe('https://as.example', { authorizationParameters }), asked),
  )
  assert.is(url.searchParams.get('prompt'), 'consent')
  assert.equal(url.searchParams.getAll('state'), [STATE])
  assert.equal(url.searchParams.getAll('redirect_uri'), ['https://gw.example/upstream/callback/as'])
  assert.equal(url.searchParams.get('response_type'), 'code')
  assert.equal(url.searchParams.get('client_id'), 'gateway id')
})

test('each verifier is one of a kind, and long enough', () => {
  const verifiers = Array.from({ length: 50 }, createCodeVerifier)
  assert.is(new Set(verifiers).size, 50)
  for (const verifier of verifiers) assert.match(verifier, /^[\w~.-]{43,128}$/)
})

interface TokenServer {
  origin: string
  recorder: Recorder
  reply: { status: number; body: string; headers: Record<string, string> }
}

async function tokenServer({ after }: TestContext): Promise<TokenServer> {
  const world = {
    reply: { status: 200, body: '{"access_token":"T"}', headers: {} as Record<string, string> },
  }
  const listening = await listen(async (request: IncomingMessage, response) => {
    for await (const _ of request);
    const { status, body, headers } = world.reply
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
  })
  after(listening.close)
  return Object.assign(world, { origin: listening.origin, recorder: record(listening.server) })
}

const answer = (change: Record<string, string> = {}) =>
  new URLSearchParams({ code: 'C', state: STATE, ...change })

const redeemAt = (server: UpstreamServer, from = answer()): Promise<UpstreamTokens> =>
  redeem(
    controlHttp,
    server,
    { answer: from, state: STATE, codeVerifier: VERIFIER, resource: 'https://mcp.example/mcp' },
    NOW,
  )

const refusal = async (work: Promise<unknown>): Promise<OAuthError> => {
  const error = await work.catch((failure: unknown) => failure)
  if (error instanceof OAuthError) return error
  throw new Error(`expected an OAuthError, got ${String(error)}`)
}

test('the code is redeemed with verifier, redirect_uri and resource; what comes back is what is kept', async (context) => {
  const server = await tokenServer(context)
  server.reply.body =
    '{"access_token":"T","refresh_token":"R","expires_in":"60","scope":"a b:c","token_type":"BEARER"}'
  assert.equal(await redeemAt(describe(server.origin)), {
    accessToken: 'T',
    refreshToken: 'R',
    obtainedAtMs: NOW,
    expiresAtMs: NOW + 60_000,
    scope: 'a b:c',
    account: undefined,
  })
  const [request] = server.recorder.to('POST /token')
  assert.equal(Object.fromEntries(request?.form ?? []), {
    grant_type: 'authorization_code',
    code: 'C',
    redirect_uri: 'https://gw.example/upstream/callback/as',
    code_verifier: VERIFIER,
    client_id: 'gateway id',
    resource: 'https://mcp.example/mcp',
  })
  assert.match(request?.headers.accept ?? '', 'application/json')
})

test('the gateway authenticates as it is registered: by body, by header, or not at all', async (context) => {
  const server = await tokenServer(context)
  const clientSecret = 's+e/c:r%t'
  await redeemAt(describe(server.origin, { authMethod: 'client_secret_post', clientSecret }))
  await redeemAt(describe(server.origin, { authMethod: 'client_secret_basic', clientSecret }))
  await redeemAt(describe(server.origin))
  const [post, basic, none] = server.recorder.to('POST /token')
  assert.equal([post?.form.get('client_secret'), post?.headers.authorization], [clientSecret, undefined])
  const [id = '', secret = ''] = Buffer.from(
    basic?.headers.authorization?.slice('Basic '.length) ?? '',
    'base64',
  )
    .toString()
    .split(':')
  const decode = (text: string) => decodeURIComponent(text.replaceAll('+', ' '))
  assert.equal(
    [decode(id), decode(secret), basic?.form.has('client_secret')],
    ['gateway id', clientSecret, false],
  )
  assert.equal([none?.form.has('client_secret'), none?.headers.authorization], [false, undefined])
})

test('an answer of the browser that is wrong redeems nothing', async (context) => {
  const server = await tokenServer(context)
  const withIssuer = describe(server.origin, { issuer: 'https://as.example' })
  const promised = { ...withIssuer, issParameterSupported: true }
  const failing = (error: string) => new URLSearchParams({ error, state: STATE })
  const wrong: [name: string, server: UpstreamServer, from: URLSearchParams, code: string][] = [
    ['another state', withIssuer, answer({ state: 'other' }), 'server_error'],
    ['no state', withIssuer, new URLSearchParams({ code: 'C' }), 'server_error'],
    ['no code', withIssuer, new URLSearchParams({ state: STATE }), 'server_error'],
    ['sec-C1: another issuer', withIssuer, answer({ iss: 'https://evil.example' }), 'server_error'],
    ['no issuer, where one is promised', promised, answer(), 'server_error'],
    ['an empty code', withIssuer, answer({ code: '' }), 'server_error'],
    ['denied', withIssuer, failing('access_denied'), 'access_denied'],
    ['an error', withIssuer, failing('server_error'), 'server_error'],
    ['a passing one', withIssuer, failing('temporarily_unavailable'), 'temporarily_unavailable'],
    ['an error without state', withIssuer, new URLSearchParams({ error: 'access_denied' }), 'server_error'],
    ['an error beside a code', withIssuer, answer({ error: 'access_denied' }), 'access_denied'],
  ]
  for (const [name, as, from, code] of wrong) {
    assert.is((await refusal(redeemAt(as, from))).code, code, name)
    assert.is((await refusal((async () => checkAnswer(as, from, STATE))())).code, code, name)
  }
  assert.is(server.recorder.count(), 0)
})

test('the right issuer, and any where none is known, is taken', async (context) => {
  const server = await tokenServer(context)
  await redeemAt(
    describe(server.origin, { issuer: 'https://as.example' }),
    answer({ iss: 'https://as.example' }),
  )
  await redeemAt(
    describe(server.origin, { issuer: 'https://as.example', issParameterSupported: true }),
    answer({ iss: 'https://as.example' }),
  )
  await redeemAt(describe(server.origin, { issuer: 'https://as.example' }))
  await redeemAt(describe(server.origin), answer({ iss: 'https://whoever.example' }))
  assert.is(server.recorder.count('POST /token'), 4)
})

test('sec-C11: whatever the token endpoint answers, the client reads our words and the log no secret', async (context) => {
  const server = await tokenServer(context)
  const replies: [name: string, status: number, body: string, code: string][] = [
    ['an error', 400, '{"error":"invalid_grant","error_description":"canary"}', 'server_error'],
    [
      'an error with 200',
      200,
      '{"error":"bad_verification_code","error_description":"canary"}',
      'server_error',
    ],
    ['an unknown client', 401, '{"error":"invalid_client"}', 'server_error'],
    ['a refused resource', 400, '{"error":"invalid_target"}', 'server_error'],
    ['an error that is a secret', 400, '{"error":"canary-\\nforged=line"}', 'temporarily_unavailable'],
    ['an error of its own', 400, '{"error":"account_locked"}', 'temporarily_unavailable'],
    ['too many requests', 429, '{"error":"slow_down"}', 'temporarily_unavailable'],
    ['too many, in other words', 429, '{"error":"invalid_grant"}', 'temporarily_unavailable'],
    ['an error of a broken server', 503, '{"error":"invalid_client"}', 'temporarily_unavailable'],
    ['nothing', 400, '', 'temporarily_unavailable'],
    ['a firewall', 401, '<h1>canary</h1>', 'temporarily_unavailable'],
    ['no such page', 404, 'canary', 'temporarily_unavailable'],
    ['HTML', 200, '<h1>canary</h1>', 'temporarily_unavailable'],
    ['a broken server', 500, 'canary', 'temporarily_unavailable'],
    ['a proxy in between', 502, '<html>canary', 'temporarily_unavailable'],
    ['a redirect', 302, '', 'temporarily_unavailable'],
    ['another type of token', 200, '{"access_token":"canary","token_type":"mac"}', 'server_error'],
    ['a status beyond HTTP', 999, 'canary', 'temporarily_unavailable'],
  ]
  for (const [name, status, body, code] of replies) {
    server.reply = { status, body, headers: { location: 'https://evil.example/canary' } }
    const error = await refusal(redeemAt(describe(server.origin)))
    assert.is(error.code, code, name)
    assert.not.match(error.message + JSON.stringify(error.detail), 'canary', name)
  }
  assert.is(server.recorder.count('POST /token'), replies.length, 'each was asked once')
})

test('a refusal is logged with the server that refused and as whom the gateway is known there', async (context) => {
  const server = await tokenServer(context)
  server.reply = { status: 401, body: '{"error":"invalid_client"}', headers: {} }
  const described = describe(server.origin)
  const { detail } = await refusal(redeemAt(described))
  assert.equal(detail, {
    upstreamError: 'invalid_client',
    upstreamStatus: 401,
    authorizationServer: new URL(server.origin).host,
    upstreamClient: described.clientId,
  })
})

test('a token endpoint that is not there is temporarily_unavailable', async () => {
  const nowhere = `http://127.0.0.1:${await freePort()}`
  assert.is((await refusal(redeemAt(describe(nowhere)))).code, 'temporarily_unavailable')
})

test.run()
