// `routes.<r>.scopes`: what every token carries, what a client may ask for, and what includes what.
import * as assert from 'uvu/assert'
import { Client, callMcp, send, tokensOf } from '../security/client.ts'
import { Browser } from '../support/browser.ts'
import { USER } from '../support/gateway.ts'
import { signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { startScoped } from './scoped-routes.ts'

const test = suite('flow/scopes')

type RouteName = 'github' | 'open'

/** One route with a sign-in at the upstream and one without, both with these scopes. */
async function scene(context: TestContext, scopes: string) {
  const { github, open, yaml, gateway } = await startScoped(context, scopes)
  const client = await Client.register(gateway.url)
  const connect = async (route: RouteName, scope?: string) => {
    const trip = client.trip({ resource: `${gateway.url}/${route}`, scope })
    const { callback, pages } = await signIn(new Browser({ stopAt: ['https://'] }), trip.url, USER)
    const answer = await client.redeem(callback.searchParams.get('code') ?? '', trip.verifier)
    return { tokens: tokensOf(answer), scope: String(answer.body.scope).split(' '), pages }
  }
  return {
    github,
    open,
    gateway,
    client,
    connect,
    asked: () => github.recorder.to('/login/oauth/authorize').at(-1)?.query.get('scope'),
    call: (route: RouteName, token?: string) => callMcp(`${gateway.url}/${route}`, token),
    metadata: (route: RouteName) =>
      send(`${gateway.url}/.well-known/oauth-protected-resource/${route}`).then(({ body }) => body),
    async edit(more: string) {
      await gateway.write(yaml(more))
      assert.is((await gateway.follower.reload()).kind, 'applied')
    },
  }
}

const scopeOf = ({ headers }: { headers: Headers }) =>
  /scope="([^"]*)"/.exec(headers.get('www-authenticate') ?? '')?.[1]

test('spec-D5: metadata and challenges name the least that is needed: the route and what is required', async (context) => {
  const { metadata, call } = await scene(context, '{ required: [tools], optional: [admin, offline_access] }')
  for (const route of ['github', 'open'] as const) {
    assert.equal((await metadata(route)).scopes_supported, [`mcp:${route}`, 'tools'])
    assert.is(scopeOf(await call(route)), `mcp:${route} tools`)
  }
})

test('spec-R4: a token from before a scope was required is told all that is needed; signing in again heals it', async (context) => {
  const { github, open, client, connect, edit, call, asked } = await scene(context, '{}')
  const before = { github: await connect('github'), open: await connect('open') }
  await edit('{ required: [tools.read, tools.call] }')
  const received = github.recorder.count('/mcp/') + open.recorder.count()
  for (const route of ['github', 'open'] as const) {
    const refused = await call(route, before[route].tokens.access)
    assert.is(refused.status, 403)
    assert.match(refused.headers.get('www-authenticate') ?? '', 'error="insufficient_scope"')
    assert.is(scopeOf(refused), `mcp:${route} tools.read tools.call`)
    assert.is((await client.refresh(before[route].tokens.refresh)).body.error, 'invalid_grant')
  }
  assert.is(github.recorder.count('/mcp/') + open.recorder.count(), received, 'no upstream heard of it')

  for (const route of ['github', 'open'] as const) {
    const { tokens, scope } = await connect(route)
    assert.ok(['tools.read', 'tools.call'].every((one) => scope.includes(one)))
    assert.is((await call(route, tokens.access)).status, 200)
    assert.is((await client.refresh(tokens.refresh)).status, 200)
  }
  assert.is(asked(), 'repo read:user tools.read tools.call', 'the upstream is asked for them too')

  await edit('{}')
  assert.is((await call('open', before.open.tokens.access)).status, 200, 'taken back it is all as before')
})

test('spec-A10: an optional scope is asked of the upstream for who asks for it; everything else is ignored', async (context) => {
  const { connect, asked, call } = await scene(context, '{ optional: [gist, admin:org] }')
  const plain = await connect('github')
  assert.is(asked(), 'repo read:user')
  assert.equal(plain.scope, ['mcp:github', 'repo', 'read:user'])

  const wished = await connect('github', 'mcp:github gist claudeai openid delete_repo')
  assert.is(asked(), 'repo read:user gist')
  assert.equal([...wished.scope].sort(), ['gist', 'mcp:github', 'read:user', 'repo'])
  assert.match(wished.pages[0]?.text ?? '', 'gist', 'the person sees it before')
  assert.not.match(wished.pages[0]?.text ?? '', /delete_repo|claudeai/)
  assert.is((await call('github', wished.tokens.access)).status, 200)
})

test('where nobody signs in upstream, an optional scope is the token of who asked for it', async (context) => {
  const { connect } = await scene(context, '{ required: [read], optional: [write] }')
  assert.equal((await connect('open')).scope, ['mcp:open', 'read'])
  const wished = await connect('open', 'write delete')
  assert.equal(wished.scope, ['mcp:open', 'read', 'write'])
  assert.match(wished.pages[0]?.text ?? '', 'write')
})

test('a link that was asked for it already needs no further trip', async (context) => {
  const { github, connect } = await scene(context, '{ optional: [gist] }')
  await connect('github', 'gist')
  await connect('github', 'gist')
  await connect('github')
  assert.is(github.recorder.count('/login/oauth/authorize'), 1)
})

test('spec-R5: a broad scope stands for the narrow ones it includes, step by step', async (context) => {
  const { github, client, connect, edit, call } = await scene(context, '{}')
  const { tokens } = await connect('github')
  await edit(
    '{ required: [read_public], implies: { repo: [public_repo], public_repo: [read_public, repo] } }',
  )
  assert.is((await call('github', tokens.access)).status, 200, 'repo includes it')
  const refreshed = await client.refresh(tokens.refresh, { scope: 'read_public' })
  assert.is(refreshed.status, 200, 'narrower is not wider')
  const { tokens: next } = await connect('github')
  assert.is((await call('github', next.access)).status, 200)
  assert.is(github.recorder.count('/login/oauth/authorize'), 1, 'nor is the upstream asked for it')
  await edit('{ required: [read_public], implies: { public_repo: [repo, read_public] } }')
  assert.is(
    (await call('github', tokens.access)).status,
    403,
    'a narrow one does not stand for the broad one',
  )
})

test.run()
