// The reload contract, setting by setting: each is edited on a running gateway, and what its class promises is looked at
// from outside. A setting without a class, or without a case here, fails.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CryptoKey, decodeProtectedHeader, exportJWK, generateKeyPair, SignJWT } from 'jose'
import * as assert from 'uvu/assert'
import { serve } from '../durable/process.ts'
import { basic, Client, callMcp, postForm, postJson, send } from '../security/client.ts'
import { ATTACKER, allow, newBrowser, openConsent, VICTIM } from '../security/world.ts'
import { SERVER } from '../support/discovery-upstream.ts'
import { intercept } from '../support/intercept.ts'
import { suite } from '../support/suite.ts'
import { discoveredServer } from './discovered-server.ts'
import { ISSUER_CASES } from './issuer-cases.ts'
import { leaves } from './leaves.ts'
import {
  type Doc,
  lastAt,
  nameServer,
  ROUTES,
  type RouteName,
  type Scene,
  SECRETS,
  startScene,
  statusWithHost,
} from './scene.ts'
import { UPSTREAM_AUTH_CASES } from './upstream-auth-cases.ts'

const test = suite('reload/contract')

interface Case {
  /** What stands in the file before. */
  readonly before?: (doc: Doc) => void
  readonly edit?: (doc: Doc, scene: Scene) => void
  /** Looked at before the edit, so that the edit is what made the difference. */
  readonly first?: (scene: Scene) => unknown
  /** What is to be seen after it. */
  readonly seen?: (scene: Scene) => unknown
  /** Routes whose tokens the edit is meant to shut out. */
  readonly shuts?: readonly RouteName[]
  /** Instead of the steps that belong to the class. */
  readonly whole?: (scene: Scene) => Promise<void>
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const resource = (scene: Scene, route: RouteName) => ({ resource: `${scene.url}/${route}` })
const refresh = (scene: Scene, route: RouteName = 'open') => scene.client.refresh(scene.tokens[route].refresh)
const admitted = (before: unknown, edit: (doc: Doc) => void): Case => ({
  before: (doc) => {
    doc.login.users.victim.groups = ['staff']
  },
  edit,
  whole: async (scene) => {
    await scene.edit((doc) => {
      doc.routes.open.access = before
    })
    assert.is(await scene.call('open'), 403)
    await scene.edit(edit)
    assert.is(await scene.call('open'), 200)
  },
})
/** The same edits for a server that is written in the route and for one with a name. */
const serverOf = (doc: Doc) => doc.authorization_servers?.gh ?? doc.routes.github.auth.authorization_server

function disconnecting(doc: Doc): void {
  doc.routes.github.auth.disconnect = 'with_last_grant'
}

/** What the client does when its person removes the server. */
const endGrant = async ({ url, client, tokens }: Scene) =>
  (await postForm(`${url}/revoke`, { token: tokens.github.refresh, client_id: client.id })).status

/** The parameters that the upstream is sent at the next sign-in; the sign-in is finished. */
async function nextSignIn(
  scene: Scene,
): Promise<{ authorize: URLSearchParams; token: { body: string; authorization: string | undefined } }> {
  await scene.signIn('github', ATTACKER)
  const authorize = scene.github.recorder.to('/login/oauth/authorize').at(-1)
  const token = scene.github.recorder.to('/login/oauth/access_token').at(-1)
  assert.ok(authorize && token)
  return {
    authorize: authorize.query,
    token: { body: token.body, authorization: token.headers.authorization },
  }
}

function signingByKey(doc: Doc): void {
  const server = serverOf(doc)
  delete server.client_secret
  delete server.token_endpoint_auth_method
  server.private_key = '${TLS_KEY}'
}

/** The header of the client assertion that the token endpoint was sent last. */
async function lastAssertion(scene: Scene) {
  await scene.signIn('github', ATTACKER).catch(() => undefined)
  const { form } = scene.github.recorder.to('/login/oauth/access_token').at(-1) ?? {}
  const assertion = form?.get('client_assertion')
  return assertion ? decodeProtectedHeader(assertion) : undefined
}

const SERVER_CASES: Record<string, Case> = {
  preset: {
    edit: (doc) => {
      for (const field of ['authorization_endpoint', 'token_endpoint', 'token_endpoint_auth_method'])
        delete serverOf(doc)[field]
      serverOf(doc).preset = 'github'
    },
  },
  preset_parameters: {
    whole: async (scene) => {
      const under = async (tenant: string) => {
        await scene.edit((doc) => {
          const { client_id, client_secret } = serverOf(doc)
          const server = { preset: 'entra', preset_parameters: { tenant }, client_id, client_secret }
          if (doc.authorization_servers) doc.authorization_servers.gh = server
          else doc.routes.github.auth.authorization_server = server
        })
        return scene.gateway.app.current().routes.get('github')?.auth.link?.fingerprint()
      }
      const [one, two] = [await under('one.example'), await under('two.example')]
      assert.ok(one && two)
      assert.is.not(one, two, 'a link of one tenant is none of the other')
      assert.is(await scene.call('github'), 401)
    },
  },
  issuer: {
    edit: (doc) => {
      serverOf(doc).issuer = 'https://issuer.example'
    },
  },
  authorization_endpoint: {
    edit: (doc) => {
      serverOf(doc).authorization_endpoint += '2'
    },
  },
  token_endpoint: {
    edit: (doc) => {
      serverOf(doc).token_endpoint += '2'
    },
  },
  client_id: {
    edit: (doc) => {
      serverOf(doc).client_id = 'another'
    },
  },
  client_secret: {
    edit: (doc, { github }) => {
      github.knobs.clientSecret = SECRETS.SECRET_TWO
      serverOf(doc).client_secret = '${SECRET_TWO}'
    },
    seen: async (scene) => assert.match((await nextSignIn(scene)).token.body, SECRETS.SECRET_TWO),
  },
  token_endpoint_auth_method: {
    edit: (doc) => {
      serverOf(doc).token_endpoint_auth_method = 'client_secret_basic'
    },
    seen: async (scene) => {
      await scene.signIn('github', ATTACKER).catch(() => undefined)
      const sent = scene.github.recorder.to('/login/oauth/access_token').at(-1)
      assert.match(sent?.headers.authorization ?? 'none', /^Basic /)
    },
  },
  private_key: {
    edit: signingByKey,
    seen: async (scene) => assert.ok(await lastAssertion(scene)),
  },
  private_key_id: {
    edit: (doc) => {
      signingByKey(doc)
      serverOf(doc).private_key_id = 'key-of-july'
    },
    seen: async (scene) => assert.is((await lastAssertion(scene))?.kid, 'key-of-july'),
  },
  registration: {
    whole: (scene) =>
      discoveredServer(scene, async ({ upstream, write, begin }) => {
        upstream.knobs.documents[SERVER] = upstream.serverDocument({
          client_id_metadata_document_supported: true,
        })
        const client_id_metadata_url = 'https://www.example.com/gateway.json'
        await write({ client_id_metadata_url, registration: ['dynamic'] })
        assert.match((await begin()).searchParams.get('client_id') ?? '', /^client-/)
        await write({ client_id_metadata_url, registration: ['cimd'] })
        assert.is((await begin()).searchParams.get('client_id'), client_id_metadata_url)
        assert.is(await scene.call('github'), 401)
      }),
  },
  client_id_metadata_url: {
    whole: (scene) =>
      discoveredServer(scene, async ({ upstream, write, begin }) => {
        upstream.knobs.documents[SERVER] = upstream.serverDocument({
          client_id_metadata_document_supported: true,
        })
        for (const name of ['one', 'two']) {
          const client_id_metadata_url = `https://www.example.com/${name}.json`
          await write({ client_id_metadata_url })
          assert.is((await begin()).searchParams.get('client_id'), client_id_metadata_url)
        }
        assert.is(await scene.call('github'), 401)
      }),
  },
  endpoint_hosts: {
    whole: (scene) =>
      discoveredServer(scene, async ({ upstream, write, begin }) => {
        await write({})
        await begin()
        upstream.knobs.documents[SERVER] = upstream.serverDocument({
          token_endpoint: 'https://moved.test/token',
        })
        assert.match(String(await begin().catch(String)), 'moved to another host')
        await write({ endpoint_hosts: ['moved.test'] })
        await begin()
      }),
  },
  token_object: {
    edit: (doc, { github }) => {
      serverOf(doc).token_object = 'authed_user'
      const body = JSON.stringify({
        access_token: 'of the app',
        authed_user: { access_token: 'of-a-person' },
      })
      github.knobs.tokenReply = { status: 200, type: 'application/json', body }
    },
    seen: async (scene) => {
      const { access } = await scene.signIn('github', ATTACKER)
      await callMcp(`${scene.url}/github`, access)
      const sent = scene.github.recorder.to('/mcp/').map(({ headers }) => headers.authorization)
      assert.is(sent.at(-1), 'Bearer of-a-person')
    },
  },
  authorization_parameters: {
    edit: (doc) => {
      serverOf(doc).authorization_parameters = { prompt: 'select_account' }
    },
    seen: async (scene) => assert.is((await nextSignIn(scene)).authorize.get('prompt'), 'select_account'),
  },
  revocation_endpoint: {
    before: disconnecting,
    edit: (doc, { github }) => {
      serverOf(doc).revocation_endpoint = `${github.origin}/revoke`
    },
    seen: async (scene) => {
      assert.is(await endGrant(scene), 200)
      assert.is((await scene.github.recorder.arrival('/revoke')).form.get('token_type_hint'), 'access_token')
    },
  },
  account_endpoint: {
    edit: (doc, { github }) => {
      serverOf(doc).account_endpoint = `${github.origin}/user`
    },
    seen: async (scene) => {
      await nextSignIn(scene)
      assert.match(String(scene.github.recorder.to('/user')[0]?.headers.authorization), /^Bearer gho_/)
    },
  },
  account_claim: {
    before: (doc) => {
      const server = serverOf(doc)
      server.account_endpoint = new URL('/user', server.token_endpoint).href
    },
    edit: (doc, { github }) => {
      serverOf(doc).account_claim = 'handle'
      intercept(github.server, (request, response) => {
        if (request.url === '/user') response.end('{"login":"a login","handle":"a handle"}')
        return request.url === '/user'
      })
    },
    seen: async (scene) => {
      const browser = newBrowser()
      await scene.signIn('github', ATTACKER, browser)
      assert.match((await scene.consent('github', browser)).text, 'connected as a handle')
    },
  },
  relink_parameters: {
    edit: (doc) => {
      serverOf(doc).relink_parameters = { prompt: 'select_account' }
    },
    seen: async (scene) => {
      const page = await scene.consent('github', scene.browser)
      const button = 'Allow with another upstream account'
      await scene.browser.submit(page.form(), {}, { button })
      const { query } = scene.github.recorder.to('/login/oauth/authorize').at(-1) ?? {}
      assert.is(query?.get('prompt'), 'select_account')
    },
  },
  'callback: /upstream/callback': {
    edit: (doc) => {
      serverOf(doc).callback = '/upstream/callback'
    },
    seen: async (scene) =>
      assert.is((await nextSignIn(scene)).authorize.get('redirect_uri'), `${scene.url}/upstream/callback`),
  },
}

const NAMED = Object.fromEntries(
  Object.entries(SERVER_CASES).map(([field, given]) => [
    `authorization_servers.*.${field}`,
    {
      ...given,
      before: (doc: Doc) => {
        nameServer(doc)
        given.before?.(doc)
      },
    },
  ]),
)
const INLINE = Object.fromEntries(
  Object.entries(SERVER_CASES).map(([field, given]) => [
    `routes.*.auth[authorization_code].authorization_server.${field}`,
    given,
  ]),
)

const withDefaults = (cases: Record<string, (target: Doc) => Case>): Record<string, Case> => {
  const both = Object.entries(cases).flatMap(([field, make]): [string, Case][] => [
    [`routes.*.${field}`, make((doc: Doc) => doc.routes.open)],
    [
      `defaults.${field}`,
      make((doc: Doc) => {
        doc.defaults ??= {}
        return doc.defaults
      }),
    ],
  ])
  return Object.fromEntries(both)
}

const withEmail = (doc: Doc) => {
  doc.login.users.victim.email = 'victim@example.com'
}
const withClaim = (doc: Doc) => {
  doc.login.users.victim.claims = { department: 'research' }
}
const withMachine = (doc: Doc) => {
  doc.clients = { static: { reports: { client_secret: '${KEY}', grant_types: ['client_credentials'] } } }
}

const ROUTE_DEFAULTS = withDefaults({
  'access: anyone': (of) => ({
    before: (doc) => {
      of(doc).access = { users: ['victim'] }
    },
    edit: (doc) => {
      of(doc).access = 'anyone'
    },
    first: async (scene) => assert.is(await statusOfAttacker(scene), 'access_denied'),
    seen: async (scene) => assert.is(await statusOfAttacker(scene), 'code'),
  }),
  'access.users': (of) => ({
    edit: (doc) => {
      of(doc).access = { users: ['attacker'] }
    },
    shuts: ROUTES,
    seen: async (scene) => assert.is(await scene.call('open'), 403),
  }),
  'access.groups': (of) => ({
    edit: (doc) => {
      of(doc).access = { groups: ['staff'] }
    },
    shuts: ROUTES,
    seen: async (scene) => assert.is(await scene.call('open'), 403),
  }),
  'access.email_domains': (of) => ({
    before: withEmail,
    edit: (doc) => {
      of(doc).access = { email_domains: ['other.example'] }
    },
    shuts: ROUTES,
    seen: async (scene) => assert.is(await scene.call('open'), 403),
  }),
  'access.claims': (of) => ({
    before: withClaim,
    edit: (doc) => {
      of(doc).access = { claims: { department: 'sales' } }
    },
    shuts: ROUTES,
    seen: async (scene) => assert.is(await scene.call('open'), 403),
  }),
  'access.clients': (of) => ({
    before: withMachine,
    first: async (scene) => assert.is((await machineAnswer(scene)).status, 200),
    edit: (doc) => {
      of(doc).access = { users: ['victim'], clients: ['other'] }
    },
    seen: async (scene) => assert.is((await machineAnswer(scene)).status, 400),
  }),
  'access.deny.email_domains': (of) => ({
    before: withEmail,
    edit: (doc) => {
      of(doc).access = { deny: { email_domains: ['example.com'] } }
    },
    shuts: ROUTES,
    seen: async (scene) => assert.is(await scene.call('open'), 403),
  }),
  'access.deny.claims': (of) => ({
    before: withClaim,
    edit: (doc) => {
      of(doc).access = { deny: { claims: { department: ['sales', 'research'] } } }
    },
    shuts: ROUTES,
    seen: async (scene) => assert.is(await scene.call('open'), 403),
  }),
  'access.deny.clients': (of) => ({
    before: withMachine,
    first: async (scene) => assert.is((await machineAnswer(scene)).status, 200),
    edit: (doc) => {
      of(doc).access = { deny: { clients: ['reports'] } }
    },
    seen: async (scene) => assert.is((await machineAnswer(scene)).status, 400),
  }),
  'access.deny.users': (of) => ({
    edit: (doc) => {
      of(doc).access = { deny: { users: ['victim'] } }
    },
    shuts: ROUTES,
    seen: async (scene) => assert.is(await scene.call('open'), 403),
  }),
  'access.deny.groups': (of) => ({
    before: (doc) => {
      doc.login.users.victim.groups = ['staff']
    },
    edit: (doc) => {
      of(doc).access = { deny: { groups: ['staff'] } }
    },
    shuts: ROUTES,
    seen: async (scene) => assert.is(await scene.call('open'), 403),
  }),
  'limits.max_body': (of) => ({
    edit: (doc) => {
      of(doc).limits = { max_body: '1KiB' }
    },
    seen: async (scene) => {
      const big = { jsonrpc: '2.0', id: 1, method: 'x', params: { text: 'x'.repeat(2000) } }
      assert.is((await callMcp(`${scene.url}/open`, scene.tokens.open.access, big)).status, 413)
    },
  }),
  'timeouts.connect': (of) => ({
    edit: (doc, scene) => {
      doc.routes.open.upstream.url = `https://127.0.0.1:${scene.silentPort}/mcp`
      of(doc).timeouts = { connect: '300ms' }
    },
    shuts: ['open'],
    seen: async (scene) => assert.ok((await slowCall(scene)) < 5_000, 'the default would be 10 s'),
  }),
  'timeouts.response': (of) => ({
    edit: (doc, scene) => {
      doc.routes.open.upstream.url = `http://127.0.0.1:${scene.silentPort}/mcp`
      of(doc).timeouts = { response: '300ms' }
    },
    shuts: ['open'],
    seen: async (scene) => assert.ok((await slowCall(scene)) < 10_000, 'the default would be 5 m'),
  }),
})

/** How long the gateway waited for an upstream that says nothing. */
async function slowCall(scene: Scene): Promise<number> {
  const begun = performance.now()
  const status = await scene.call('open')
  assert.ok(status === 502 || status === 504 || status === 503, `${status}`)
  return performance.now() - begun
}

async function statusOfAttacker(scene: Scene): Promise<string> {
  const browser = newBrowser()
  const { page } = await openConsent(browser, scene.client, resource(scene, 'open'))
  const { sentTo } = await allow(browser, page, ATTACKER)
  return sentTo?.searchParams.get('error') ?? (sentTo?.searchParams.has('code') ? 'code' : 'a page')
}

const restart = (edit: (doc: Doc) => void, before?: (doc: Doc) => void): Case => ({
  edit,
  ...(before && { before }),
})

const CASES: Record<string, Case> = {
  ...UPSTREAM_AUTH_CASES,
  'version: 1': {
    whole: async (scene) => {
      const refused = await scene.edit((doc) => (doc.version = 2)).then(() => 'taken', String)
      assert.match(refused, 'refused')
      assert.is(await scene.call('open'), 200)
    },
  },
  'server.host': restart((doc) => {
    doc.server.host = '127.0.0.1'
  }),
  'server.port': restart((doc) => {
    doc.server.port = 1
  }),
  'server.tls.cert': restart((doc) => {
    doc.server.tls = { cert: '${TLS_CERT}', key: '${TLS_KEY}' }
  }),
  'server.tls.key': restart((doc) => {
    doc.server.tls = { cert: '${TLS_CERT}', key: '${TLS_KEY}' }
  }),
  'server.public_url': {
    whole: async (scene) => {
      const origin = 'https://mcp.example.com'
      await scene.edit((doc) => {
        doc.server.public_url = origin
      })
      const metadata = await send(`${scene.url}/.well-known/oauth-authorization-server`)
      assert.is(metadata.body.issuer, origin)
      // A registration names the issuer it was made at: the client registers and its person signs in again.
      assert.is((await refresh(scene)).body.error, 'invalid_client')
      assert.is(await scene.call('open'), 200, 'what it has is good to its end')
    },
  },
  'server.allowed_origins': {
    edit: (doc) => {
      doc.server.allowed_origins = ['https://app.example']
    },
    first: async (scene) => assert.is(await scene.call('open', { origin: 'https://app.example' }), 403),
    seen: async (scene) => assert.is(await scene.call('open', { origin: 'https://app.example' }), 200),
  },
  'server.allowed_hosts': {
    edit: (doc) => {
      doc.server.allowed_hosts = ['gateway.internal']
    },
    first: async ({ url, tokens }) =>
      assert.is(await statusWithHost(`${url}/open`, 'gateway.internal', tokens.open.access), 421),
    seen: async ({ url, tokens }) =>
      assert.is.not(await statusWithHost(`${url}/open`, 'gateway.internal', tokens.open.access), 421),
  },
  'server.drain_timeout': {
    whole: async (scene) => {
      const stream = await openStream(scene)
      await scene.edit((doc) => {
        doc.server.drain_timeout = '100ms'
        doc.routes.open.upstream.url = scene.other.url
      })
      assert.is(await stream.ended, 'cut', 'within two looks; the default would have been 20 s')
      assert.is(await scene.call('open'), 200)
    },
  },
  'login.users.*.password_hash': {
    edit: (doc) => {
      doc.login.users.attacker.password_hash = '${VICTIM_HASH}'
    },
    seen: async (scene) => {
      await scene.signIn('open', { username: 'attacker', password: VICTIM.password })
      await scene.signIn('open', ATTACKER).then(
        () => assert.unreachable('the old password is no good any more'),
        () => undefined,
      )
    },
  },
  'login.users.*.email': admitted({ email_domains: ['example.com'] }, withEmail),
  'login.users.*.claims': admitted({ claims: { department: 'research' } }, withClaim),
  'login.users.*.groups': admitted({ groups: ['admins'] }, (doc) => {
    doc.login.users.victim.groups = ['admins']
  }),
  'login.none': {
    before: (doc) => {
      doc.login = { none: {} }
    },
    whole: async (scene) => {
      assert.is(await scene.call('open'), 200)
      await scene.edit((doc) => {
        doc.login = { users: { victim: { password_hash: '${VICTIM_HASH}' } } }
      })
      for (const route of ROUTES) assert.is(await scene.call(route), 401, route)
      assert.is((await refresh(scene)).body.error, 'invalid_grant')
      const { access } = await scene.signIn('open')
      assert.is((await callMcp(`${scene.url}/open`, access)).status, 200)
    },
  },
  'login.session.ttl': {
    edit: (doc) => {
      doc.login.session = { ttl: '7m' }
    },
    seen: async (scene) => {
      const browser = newBrowser()
      await scene.signIn('open', VICTIM, browser)
      const isSignedIn = async () =>
        !(await scene.consent('open', browser)).form().has('input[type=password]')
      assert.ok(await isSignedIn())
      scene.pass(8 * MINUTE_MS)
      assert.not.ok(await isSignedIn())
    },
  },
  'login.brand.name': {
    edit: (doc) => {
      doc.login.brand = { name: 'Example Corp' }
    },
    seen: async (scene) => assert.match((await scene.consent('open')).title, 'Example Corp'),
  },
  'tokens.access_ttl': {
    edit: (doc) => {
      doc.tokens = { access_ttl: '5m' }
    },
    seen: async (scene) => assert.ok(Number((await refresh(scene)).body.expires_in) <= 300),
  },
  'tokens.refresh_ttl': {
    edit: (doc) => {
      doc.tokens = { refresh_ttl: '2h' }
    },
    seen: async (scene) => {
      const next = await refresh(scene)
      scene.pass(3 * HOUR_MS)
      assert.is((await scene.client.refresh(String(next.body.refresh_token))).body.error, 'invalid_grant')
      assert.is((await refresh(scene, 'key')).status, 200, 'a token from before keeps its time')
    },
  },
  'tokens.refresh_max': {
    edit: (doc) => {
      doc.tokens = { refresh_max: '2h', refresh_ttl: '2h' }
    },
    seen: async (scene) => {
      const { refresh: token } = await scene.signIn('open')
      scene.pass(HOUR_MS)
      const next = await scene.client.refresh(token)
      assert.is(next.status, 200)
      scene.pass(HOUR_MS + MINUTE_MS)
      assert.is((await scene.client.refresh(String(next.body.refresh_token))).body.error, 'invalid_grant')
    },
  },
  'tokens.refresh_grace': {
    edit: (doc) => {
      doc.tokens = { refresh_grace: '0s' }
    },
    first: async (scene) => {
      assert.is((await refresh(scene, 'key')).status, 200)
      assert.is((await refresh(scene, 'key')).status, 200)
    },
    seen: async (scene) => {
      const { refresh: token } = await scene.signIn('open')
      assert.is((await scene.client.refresh(token)).status, 200)
      assert.is((await scene.client.refresh(token)).body.error, 'invalid_grant')
    },
  },
  'clients.static.*.client_name': {
    before: (doc) => {
      doc.clients = { static: { reports: { redirect_uris: ['https://reports.test/cb'] } } }
    },
    edit: (doc) => {
      doc.clients.static.reports.client_name = 'Nightly reports'
    },
    seen: async (scene) => {
      const { page } = await openConsent(newBrowser(), staticClient(scene), resource(scene, 'open'))
      assert.match(page.text, 'Nightly reports')
    },
  },
  'clients.static.*.client_secret': {
    before: (doc) => {
      doc.clients = {
        static: { reports: { redirect_uris: ['https://reports.test/cb'], client_secret: '${KEY}' } },
      }
    },
    edit: (doc) => {
      doc.clients.static.reports.client_secret = '${KEY_TWO}'
    },
    first: async (scene) => assert.is(await clientAnswer(scene, SECRETS.KEY), 'invalid_grant'),
    seen: async (scene) => {
      assert.is(await clientAnswer(scene, SECRETS.KEY), 'invalid_client')
      assert.is(await clientAnswer(scene, SECRETS.KEY_TWO), 'invalid_grant')
    },
  },
  'clients.static.*.redirect_uris': {
    before: (doc) => {
      doc.clients = { static: { reports: { redirect_uris: ['https://old.test/cb'] } } }
    },
    edit: (doc) => {
      doc.clients.static.reports.redirect_uris = ['https://reports.test/cb']
    },
    first: async (scene) => {
      const { page } = await openConsent(newBrowser(), staticClient(scene), resource(scene, 'open'))
      assert.is(page.status, 400)
    },
    seen: async (scene) => {
      const { page } = await openConsent(newBrowser(), staticClient(scene), resource(scene, 'open'))
      assert.is(page.status, 200)
    },
  },
  'clients.static.*.introspect': {
    before: (doc) => {
      doc.clients = { static: { reports: { client_secret: '${KEY}' } } }
    },
    edit: (doc) => {
      doc.clients.static.reports.introspect = true
    },
    first: async (scene) => assert.is(await isActive(scene), false),
    seen: async (scene) => assert.is(await isActive(scene), true),
  },
  'clients.static.*.jwks_uri': {
    before: (doc) => {
      doc.clients = {
        static: { reports: { redirect_uris: ['https://reports.test/cb'], client_secret: '${KEY}' } },
      }
    },
    edit: (doc) => {
      doc.clients.static.reports = {
        redirect_uris: ['https://reports.test/cb'],
        jwks_uri: 'https://reports.test/jwks.json',
      }
    },
    first: async (scene) => assert.is(await clientAnswer(scene, SECRETS.KEY), 'invalid_grant'),
    seen: async (scene) => assert.is(await clientAnswer(scene, SECRETS.KEY), 'invalid_client'),
  },
  'clients.static.*.grant_types': {
    before: (doc) => {
      doc.clients = { static: { reports: { client_secret: '${KEY}' } } }
    },
    edit: (doc) => {
      doc.clients.static.reports.grant_types = ['authorization_code', 'client_credentials']
    },
    first: async (scene) => assert.is((await machineAnswer(scene)).body.error, 'unsupported_grant_type'),
    seen: async (scene) => {
      const { body } = await machineAnswer(scene)
      const call = async () => (await callMcp(`${scene.url}/open`, String(body.access_token))).status
      assert.is(await call(), 200)
      await scene.edit((doc) => {
        doc.clients.static.reports.grant_types = ['authorization_code']
      })
      assert.is(await call(), 401, 'and back: nobody vouches for the machine')
    },
  },
  'clients.static.*.jwks.keys': {
    before: (doc) => {
      doc.clients = { static: { reports: { jwks: { keys: [OLD_KEY.jwk] } } } }
    },
    edit: (doc) => {
      doc.clients.static.reports.jwks.keys = [NEW_KEY.jwk]
    },
    first: async (scene) => assert.is(await signedAnswer(scene, OLD_KEY), 'invalid_grant'),
    seen: async (scene) => {
      assert.is(await signedAnswer(scene, OLD_KEY), 'invalid_client')
      assert.is(await signedAnswer(scene, NEW_KEY), 'invalid_grant')
    },
  },
  'clients.cimd.enabled': {
    edit: (doc) => {
      doc.clients = { cimd: { enabled: false } }
    },
    first: async (scene) => assert.match(await documentPage(scene, INSIDE), 'cannot be verified'),
    seen: async (scene) => assert.match(await documentPage(scene, INSIDE), 'not known'),
  },
  'clients.cimd.allow': {
    edit: (doc) => {
      doc.clients = { cimd: { allow: ['other.test'] } }
    },
    first: async (scene) => assert.match(await documentPage(scene, INSIDE), 'cannot be verified'),
    seen: async (scene) => assert.match(await documentPage(scene, INSIDE), 'not known'),
  },
  'clients.cimd.deny': {
    edit: (doc) => {
      doc.clients = { cimd: { deny: [new URL(INSIDE).hostname] } }
    },
    first: async (scene) => assert.match(await documentPage(scene, INSIDE), 'cannot be verified'),
    seen: async (scene) => assert.match(await documentPage(scene, INSIDE), 'not known'),
  },
  'clients.cimd.allow_private_hosts': {
    edit: (doc) => {
      doc.clients = { cimd: { allow_private_hosts: ['127.0.0.1'] } }
    },
    first: async (scene) => assert.match(await documentPage(scene, CLOSED), 'not known'),
    seen: async (scene) => assert.match(await documentPage(scene, CLOSED), 'cannot be verified'),
  },
  'clients.registration.enabled': {
    edit: (doc) => {
      doc.clients = { registration: { enabled: false } }
    },
    seen: async (scene) => {
      const refused = await Client.register(scene.url).then(
        () => 'registered',
        () => 'refused',
      )
      assert.is(refused, 'refused')
    },
  },
  'clients.registration.redirect_schemes': {
    edit: (doc) => {
      doc.clients = { registration: { redirect_schemes: ['com.example.app'] } }
    },
    first: async (scene) => assert.is(await registerWith(scene, 'com.example.app:/cb'), 400),
    seen: async (scene) => assert.is(await registerWith(scene, 'com.example.app:/cb'), 201),
  },
  ...NAMED,
  ...INLINE,
  ...ROUTE_DEFAULTS,
  ...ISSUER_CASES,
  'routes.*.path': {
    edit: (doc) => {
      doc.routes.open.path = '/elsewhere'
    },
    shuts: ['open'],
    seen: async (scene) => {
      assert.is(await scene.call('open'), 404)
      assert.is((await callMcp(`${scene.url}/elsewhere`, scene.tokens.open.access)).status, 200)
    },
  },
  'routes.*.title': {
    edit: (doc) => {
      doc.routes.open.title = 'The tools'
    },
    seen: async (scene) => assert.match((await scene.consent('open')).title, 'The tools'),
  },
  'routes.*.description': {
    edit: (doc) => {
      doc.routes.open.description = 'Adds numbers.'
    },
    seen: async (scene) => assert.match((await scene.consent('open')).text, 'Adds numbers.'),
  },
  'routes.*.upstream': {
    edit: (doc, { other }) => {
      doc.routes.open.upstream = other.url
    },
    seen: meetsTheOther,
  },
  'routes.*.upstream.url': {
    edit: (doc, { other }) => {
      doc.routes.open.upstream.url = other.url
    },
    seen: meetsTheOther,
  },
  'routes.*.upstream.headers': {
    edit: (doc) => {
      doc.routes.open.upstream.headers = { 'X-Team': 'blue' }
    },
    seen: async (scene) => {
      await scene.call('open')
      assert.is(lastAt(scene.open).headers['x-team'], 'blue')
    },
  },
  'routes.*.upstream.forward_headers': {
    edit: (doc) => {
      doc.routes.open.upstream.forward_headers = ['X-Toolsets']
    },
    first: async (scene) => {
      await scene.call('open', { 'x-toolsets': 'all' })
      assert.is(lastAt(scene.open).headers['x-toolsets'], undefined)
    },
    seen: async (scene) => {
      await scene.call('open', { 'x-toolsets': 'all' })
      assert.is(lastAt(scene.open).headers['x-toolsets'], 'all')
    },
  },
  'routes.*.auth: authorization_code': becomesPersonal('authorization_code'),
  'routes.*.auth: none': becomesOpen('none'),
  'routes.*.auth[none].type: none': becomesOpen({ type: 'none' }),
  'routes.*.auth[authorization_code].type: authorization_code': becomesPersonal({
    type: 'authorization_code',
  }),
  'routes.*.auth[api_key].type: api_key': {
    whole: async (scene) => {
      await scene.edit((doc) => {
        doc.routes.github.auth = { type: 'api_key', name: 'X-API-Key', value: '${KEY}' }
      })
      await scene.call('github')
      const { headers } = lastAt(scene.github)
      assert.equal([headers['x-api-key'], headers.authorization], [SECRETS.KEY, undefined])
    },
  },
  'routes.*.auth[api_key].in': {
    edit: (doc) => {
      doc.routes.key.auth.in = 'query'
    },
    seen: async (scene) => {
      await scene.call('key')
      assert.is(lastAt(scene.keyed).query.get('X-API-Key'), SECRETS.KEY)
      assert.is(lastAt(scene.keyed).headers['x-api-key'], undefined)
    },
  },
  'routes.*.auth[api_key].name': {
    edit: (doc) => {
      doc.routes.key.auth.name = 'X-Other'
    },
    seen: async (scene) => {
      await scene.call('key')
      assert.is(lastAt(scene.keyed).headers['x-other'], SECRETS.KEY)
    },
  },
  'routes.*.auth[api_key].value': {
    edit: (doc) => {
      doc.routes.key.auth.value = '${KEY_TWO}'
    },
    seen: async (scene) => {
      await scene.call('key')
      assert.is(lastAt(scene.keyed).headers['x-api-key'], SECRETS.KEY_TWO)
    },
  },
  'routes.*.auth[authorization_code].authorization_server': {
    before: (doc) => {
      nameServer(doc)
      doc.authorization_servers.other = { ...doc.authorization_servers.gh, client_id: 'another' }
      doc.routes.second = {
        upstream: doc.routes.github.upstream,
        auth: { type: 'authorization_code', authorization_server: 'other' },
      }
    },
    edit: (doc) => {
      doc.routes.github.auth.authorization_server = 'other'
      doc.routes.second.auth.authorization_server = 'gh'
    },
  },
  // Tokens that are there stay good; the new scope is asked for at the next sign-in.
  'routes.*.auth[authorization_code].scope': {
    edit: (doc) => {
      doc.routes.github.auth.scope = 'repo read:user read:org'
    },
    seen: async (scene) => {
      await scene.signIn('github', VICTIM)
      const asked = scene.github.recorder.to('/login/oauth/authorize').at(-1)
      assert.match(asked?.query.get('scope') ?? '', 'read:org')
    },
  },
  'routes.*.auth[authorization_code].disconnect': {
    edit: disconnecting,
    seen: async (scene) => {
      assert.is(await endGrant(scene), 200)
      await scene.gateway.logged('upstream disconnected')
      await scene.signIn('github')
      assert.is(scene.github.recorder.count('/login/oauth/authorize'), 2)
    },
  },
  'routes.*.scopes.required': {
    edit: (doc) => {
      doc.routes.open.scopes = { required: ['tools'] }
    },
    shuts: ['open'],
    seen: async (scene) => {
      const refused = await callMcp(`${scene.url}/open`, scene.tokens.open.access)
      assert.is(refused.status, 403)
      assert.match(refused.headers.get('www-authenticate') ?? '', 'scope="mcp:open tools"')
      const { access } = await scene.signIn('open')
      assert.is((await callMcp(`${scene.url}/open`, access)).status, 200)
    },
  },
  'routes.*.scopes.optional': {
    edit: (doc) => {
      doc.routes.github.scopes = { optional: ['gist'] }
    },
    first: async (scene) => assert.not.match(await scopesAsked(scene, 'gist'), 'gist'),
    seen: async (scene) => assert.match(await scopesAsked(scene, 'gist'), 'gist'),
  },
  'routes.*.scopes.implies': {
    before: (doc) => {
      doc.routes.github.scopes = {}
    },
    edit: (doc) => {
      doc.routes.github.scopes = { required: ['public_repo'], implies: { repo: ['public_repo'] } }
    },
    seen: async (scene) => assert.is((await refresh(scene, 'github')).status, 200, 'repo stands for it'),
  },
  'routes.*.auth[authorization_code].resource': {
    edit: (doc) => {
      doc.routes.github.auth.resource = 'https://mcp.example.com/mcp'
    },
  },
  tests: {
    whole: async (scene) => {
      const sentence = (text: string) => (doc: Doc) => {
        doc.tests = [text]
      }
      await scene.edit(sentence('GET /open without token → 401'))
      const { generation } = scene.gateway.app.current()
      const refused = await scene.edit(sentence('GET /open without token → 404')).then(() => 'taken', String)
      assert.match(refused, 'refused')
      assert.is(scene.gateway.app.current().generation, generation)
    },
  },
  'store[embedded].type: embedded': restart(
    (doc) => {
      doc.store = { type: 'embedded' }
    },
    (doc) => {
      doc.store = { type: 'memory' }
    },
  ),
  'store[embedded].path': restart((doc) => {
    doc.store = { path: '/nowhere/at/all' }
  }),
  'store[embedded].keys': restart((doc) => {
    doc.store = { keys: ['${STORE_KEY}'] }
  }),
  'store[memory].type: memory': restart((doc) => {
    doc.store = { type: 'memory' }
  }),
  'store[memory].keys': restart(
    (doc) => {
      doc.store = { type: 'memory', keys: ['${STORE_KEY}'] }
    },
    (doc) => {
      doc.store = { type: 'memory' }
    },
  ),
  'egress.proxy': restart((doc) => {
    doc.egress = { proxy: 'http://proxy.test:3128' }
  }),
  'egress.proxy_authorization': restart((doc) => {
    doc.egress = { proxy_authorization: 'Basic ${STORE_KEY}' }
  }),
  'egress.direct': restart((doc) => {
    doc.egress = { direct: ['inside.test'] }
  }),
  'observability.log.format': restart((doc) => {
    doc.observability = { log: { format: 'json' } }
  }),
}

async function meetsTheOther(scene: Scene): Promise<void> {
  const asked = scene.open.recorder.count()
  assert.is(await scene.call('open'), 200)
  assert.is(scene.open.recorder.count(), asked)
  assert.ok(scene.other.recorder.count() > 0)
}

function becomesOpen(auth: unknown): Case {
  return {
    whole: async (scene) => {
      await scene.edit((doc) => {
        doc.routes.github.auth = auth
        doc.routes.github.upstream.url = scene.other.url
      })
      assert.is(await scene.call('github'), 200)
      assert.is(lastAt(scene.other).headers.authorization, undefined)
      assert.not.ok(scene.other.recorder.saw(scene.github.tokens()[0]?.token ?? '-'))
    },
  }
}

function becomesPersonal(auth: unknown): Case {
  return {
    whole: async (scene) => {
      const asked = scene.open.recorder.count('POST /mcp')
      await scene.edit((doc) => {
        doc.routes.open.auth = auth
      })
      assert.is(await scene.call('open'), 502, 'this upstream names no server to sign in at')
      const since = scene.open.recorder.to('POST /mcp').slice(asked)
      assert.equal(
        since.filter(({ headers }) => headers['user-agent'] !== 'mcp-oauth-gateway'),
        [],
        'the call is not passed on',
      )
      await scene.edit((doc) => {
        doc.routes.open.auth = 'none'
      })
      assert.is(await scene.call('open'), 200)
    },
  }
}

async function openStream({ url, tokens, open }: Scene): Promise<{ readonly ended: Promise<string> }> {
  const { handle } = open.endpoint
  open.endpoint.handle = async (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {}\n\n')
  }
  const headers = { authorization: `Bearer ${tokens.open.access}`, accept: 'text/event-stream' }
  const response = await fetch(`${url}/open`, { headers })
  open.endpoint.handle = handle
  const ended = response.text().then(
    () => 'ended',
    () => 'cut',
  )
  return { ended }
}

const staticClient = ({ url }: Scene) =>
  new Client(url, {
    client_id: 'reports',
    redirect_uris: ['https://reports.test/cb'],
    token_endpoint_auth_method: 'none',
  })

async function clientAnswer({ url }: Scene, secret: string) {
  const form = { grant_type: 'refresh_token', refresh_token: 'none' }
  return (await postForm(`${url}/token`, form, { authorization: basic('reports', secret) })).body.error
}

const machineAnswer = (scene: Scene) =>
  postForm(
    `${scene.url}/token`,
    { grant_type: 'client_credentials', ...resource(scene, 'open') },
    { authorization: basic('reports', SECRETS.KEY) },
  )

interface OwnKey {
  readonly jwk: object
  readonly sign: CryptoKey
}
async function ownKey(): Promise<OwnKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  return { jwk: await exportJWK(publicKey), sign: privateKey }
}
const [OLD_KEY, NEW_KEY] = [await ownKey(), await ownKey()]

async function signedAnswer({ url }: Scene, { sign }: OwnKey) {
  const assertion = await new SignJWT({ jti: crypto.randomUUID() })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer('reports')
    .setSubject('reports')
    .setAudience(url)
    .setExpirationTime('1m')
    .sign(sign)
  const form = {
    grant_type: 'refresh_token',
    refresh_token: 'none',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  }
  return (await postForm(`${url}/token`, form)).body.error
}

/** A document where nothing is fetched from, and one where nobody listens. */
const INSIDE = 'https://10.0.0.1/client.json'
const CLOSED = 'http://127.0.0.1:1/client.json'

async function documentPage(scene: Scene, clientId: string): Promise<string> {
  const page = await newBrowser().goto(scene.client.trip({ client_id: clientId }).url)
  return page.text
}

/** What the consent page says the upstream will be asked for. */
async function scopesAsked(scene: Scene, scope: string): Promise<string> {
  const { page } = await openConsent(newBrowser(), scene.client, { ...resource(scene, 'github'), scope })
  return page.text
}

async function isActive({ url, tokens }: Scene) {
  const headers = { authorization: basic('reports', SECRETS.KEY) }
  return (await postForm(`${url}/introspect`, { token: tokens.open.access }, headers)).body.active
}

async function registerWith({ url }: Scene, redirectUri: string): Promise<number> {
  return (
    await postJson(`${url}/register`, { redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' })
  ).status
}

/** What each class promises, whatever the setting. */
const PROMISES: Record<string, (scene: Scene, given: Case, path: string) => Promise<void>> = {
  live: nobodyIsAsked,
  reconnect: nobodyIsAsked,

  /** The old upstream token stays here, the client is told to sign in again, and taken back it is all as before. */
  async reauthorize(scene, { edit }) {
    assert.is(await scene.call('github'), 200)
    const before = structuredClone(scene.doc)
    const asked = scene.github.recorder.count()
    await scene.edit((doc) => edit?.(doc, scene))
    const answer = await callMcp(`${scene.url}/github`, scene.tokens.github.access)
    assert.is(answer.status, 401)
    assert.match(answer.headers.get('www-authenticate') ?? '', 'error="invalid_token"')
    assert.is((await refresh(scene, 'github')).body.error, 'invalid_grant')
    assert.is(scene.github.recorder.count(), asked, 'the old upstream token was not sent')
    for (const route of ['open', 'key'] as const)
      assert.is(await scene.call(route), 200, 'others are not asked')
    await scene.edit((doc) => {
      for (const key of Object.keys(doc)) delete doc[key]
      Object.assign(doc, before)
    })
    assert.is(await scene.call('github'), 200, 'the link is there again')
    await scene.signIn('github')
  },

  /** The old value stays, and a warning names the setting. */
  async restart(scene, { edit }, path) {
    const setting = path.replace(/\[.*?\]|: .*/g, '')
    await scene.edit((doc) => edit?.(doc, scene))
    assert.ok(scene.gateway.app.running().restartPending.includes(setting), setting)
    const told = scene.gateway.log.filter(
      ({ event }) => event === 'a changed setting takes effect after a restart',
    )
    assert.ok(told.some(({ fields }) => fields.setting === setting))
    for (const route of ROUTES) assert.is(await scene.call(route), 200, route)
    assert.is((await refresh(scene)).status, 200)
  },
}

async function nobodyIsAsked(scene: Scene, { edit, first, seen, shuts = [] }: Case): Promise<void> {
  await first?.(scene)
  await scene.edit((doc) => edit?.(doc, scene))
  for (const route of ROUTES.filter((name) => !shuts.includes(name)))
    assert.is(await scene.call(route), 200, route)
  await seen?.(scene)
}

/** Tested through a process of its own, below. */
const ELSEWHERE = ['observability.log.level']

test('every setting has a class and a case, and every case a setting', () => {
  const all = leaves()
  for (const { path, reload } of all) assert.ok(reload, `${path} has no x-reload`)
  assert.equal([...Object.keys(CASES), ...ELSEWHERE].sort(), all.map(({ path }) => path).sort())
})

for (const { path, reload = '' } of leaves()) {
  const given = CASES[path]
  if (given === undefined) continue
  test(`${reload}: ${path}`, async (context) => {
    const scene = await startScene(context, given.before)
    const promise = PROMISES[reload]
    if (given.whole) await given.whole(scene)
    else if (promise) await promise(scene, given, path)
    else assert.unreachable(`${reload} has no promise`)
  })
}

test('live: observability.log.level, by SIGHUP and by a save', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'log-level-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const doc = (level: string) =>
    `version: 1\nserver: { port: 0 }\nobservability: { log: { level: ${level} } }\nroutes: { a: { upstream: "http://127.0.0.1:9/", auth: none } }\n`
  const served = await serve(context, { folder, yaml: doc('info') })

  await writeFile(join(folder, 'gateways.yaml'), doc('debug'))
  served.signal('SIGHUP')
  await served.logged('reloaded')
  await fetch(`${served.url}/a`, { method: 'POST' })
  assert.ok(served.lines.length > 0)
  await writeFile(join(folder, 'gateways.yaml'), doc('error'))
  const count = served.lines.length
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  await fetch(`${served.url}/a`, { method: 'POST' })
  assert.not.ok(
    served.lines.slice(count).some((line) => line.includes('request failed')),
    'info is not written any more',
  )
})

test.run()
