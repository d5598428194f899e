// The GitHub look-alike behaves as GitHub does.
import { createHash } from 'node:crypto'
import * as assert from 'uvu/assert'
import { Browser } from './browser.ts'
import { connectOnceV1 } from './clients.ts'
import { type Github, startGithub } from './github.ts'
import { suite } from './suite.ts'

const CALLBACK = 'http://localhost:1/upstream/callback/github'
const VERIFIER = 'v'.repeat(43)

const authorizeUrl = (github: Github, more: Record<string, string> = {}) =>
  `${github.authorizationEndpoint}?${new URLSearchParams({
    client_id: github.knobs.clientId,
    redirect_uri: CALLBACK,
    scope: 'repo read:user',
    state: 'a state & more',
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  })}`

const codeFrom = async (github: Github) => {
  const page = await new Browser({ stopAt: [CALLBACK] }).goto(authorizeUrl(github))
  return page.sentTo?.searchParams.get('code') ?? ''
}

const exchange = (github: Github, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(github.tokenEndpoint, {
    method: 'POST',
    headers,
    body: new URLSearchParams({
      client_id: github.knobs.clientId,
      client_secret: github.knobs.clientSecret,
      code_verifier: VERIFIER,
      ...fields,
    }),
  })

const test = suite('support/github')
let github: Github
test.before.each(async () => {
  github = await startGithub()
})
test.after.each(() => github.close())

test('approves at once, keeps state, answers form-encoded, and its token opens its MCP server', async () => {
  const page = await new Browser({ stopAt: [CALLBACK] }).goto(authorizeUrl(github))
  assert.is(page.sentTo?.searchParams.get('state'), 'a state & more')
  const answer = await exchange(github, { code: page.sentTo?.searchParams.get('code') ?? '' })
  assert.match(answer.headers.get('content-type') ?? '', /x-www-form-urlencoded/)
  const reply = new URLSearchParams(await answer.text())
  assert.equal([...reply.keys()].sort(), ['access_token', 'scope', 'token_type'])
  assert.is(reply.get('scope'), 'repo,read:user')
  const authorization = `Bearer ${reply.get('access_token')}`
  const connected = await connectOnceV1(github.mcpUrl, { requestInit: { headers: { authorization } } })
  assert.is(await connected.call('whoami'), 'octocat')
  assert.equal(await connected.countdown(2), ['1', '0'])
  await connected.close()
  assert.is(github.recorder.count('POST /login/oauth/access_token'), 1)
  assert.ok(github.recorder.saw(VERIFIER))
})

test('answers JSON to those who ask, unless told otherwise; errors have status 200', async () => {
  const accept = { accept: 'application/json' }
  const good = await exchange(github, { code: await codeFrom(github) }, accept)
  assert.is(((await good.json()) as { token_type: string }).token_type, 'bearer')
  const bad = await exchange(github, { code: 'unknown' }, accept)
  assert.is(bad.status, 200)
  assert.is(((await bad.json()) as { error: string }).error, 'bad_verification_code')
  github.knobs.alwaysForm = true
  const form = await exchange(github, { code: 'unknown' }, accept)
  assert.match(await form.text(), /^error=bad_verification_code/)
})

const refusals: Record<string, [fields: Record<string, string>, error: string]> = {
  'a wrong secret': [{ client_secret: 'wrong' }, 'incorrect_client_credentials'],
  'a wrong verifier': [{ code_verifier: 'w'.repeat(43) }, 'bad_verification_code'],
  'another redirect_uri': [{ redirect_uri: 'http://localhost:1/other' }, 'redirect_uri_mismatch'],
}
for (const [name, [fields, error]] of Object.entries(refusals)) {
  test(`refuses ${name}`, async () => {
    const answer = await exchange(github, { code: await codeFrom(github), ...fields })
    assert.is(new URLSearchParams(await answer.text()).get('error'), error)
    assert.equal(github.tokens(), [])
  })
}

test('a code is good once; Basic credentials are good too', async () => {
  const code = await codeFrom(github)
  const basic = Buffer.from(`${github.knobs.clientId}:${github.knobs.clientSecret}`).toString('base64')
  const fields = { code, client_id: '', client_secret: '' }
  const first = await exchange(github, fields, { authorization: `Basic ${basic}` })
  assert.match(await first.text(), /access_token=gho_/)
  assert.match(await (await exchange(github, { code })).text(), /bad_verification_code/)
})

test('keeps ten tokens per user and revokes the oldest', async () => {
  for (let count = 0; count < 11; count += 1) await exchange(github, { code: await codeFrom(github) })
  assert.is(github.tokens().length, 10)
})

test('shows a page when asked to: another user may sign in, or cancel', async () => {
  github.knobs.page = true
  const browser = new Browser({ stopAt: [CALLBACK] })
  const page = await browser.goto(authorizeUrl(github))
  const approved = await browser.submit(page.form(), { login: 'hubot' }, { button: 'Authorize' })
  await exchange(github, { code: approved.sentTo?.searchParams.get('code') ?? '' })
  assert.is(github.tokens()[0]?.login, 'hubot')
  await browser.goto(authorizeUrl(github))
  const denied = await browser.submit(browser.page.form(), {}, { button: 'Cancel' })
  assert.is(denied.sentTo?.searchParams.get('error'), 'access_denied')
})

test('the slash at the end matters, and a token is demanded', async () => {
  const noSlash = github.mcpUrl.slice(0, -1)
  assert.is((await fetch(noSlash, { method: 'POST' })).status, 404)
  github.knobs.withoutSlash = 301
  assert.is((await fetch(noSlash, { method: 'POST', redirect: 'manual' })).status, 301)
  const anonymous = await fetch(github.mcpUrl, { method: 'POST' })
  assert.is(anonymous.status, 401)
  assert.match(anonymous.headers.get('www-authenticate') ?? '', /invalid_request/)
})

test('an unknown client gets a page, not a redirect', async () => {
  const page = await new Browser({ stopAt: [CALLBACK] }).goto(authorizeUrl(github, { client_id: 'unknown' }))
  assert.is(page.status, 404)
  assert.is(page.sentTo, undefined)
})

test('faults can be injected: another reply, a delay, a hang', async () => {
  github.knobs.tokenReply = { status: 503, type: 'text/html', body: '<h1>Unicorn</h1>' }
  assert.is((await exchange(github, {})).status, 503)
  github.knobs.tokenReply = undefined
  github.knobs.hang = true
  const hanging = exchange(github, {}).catch((error: unknown) => error)
  const request = await github.recorder.arrival('POST /login/oauth/access_token', 2)
  await github.close()
  assert.is(await request.outcome, 'aborted')
  assert.instance(await hanging, Error)
})

test('revoked tokens stop working', async () => {
  await exchange(github, { code: await codeFrom(github) })
  const token = github.tokens()[0]?.token ?? ''
  const initialize = () =>
    fetch(github.mcpUrl, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: '{}' })
  assert.is.not((await initialize()).status, 401)
  github.revoke(token)
  assert.is((await initialize()).status, 401)
})

test.run()
