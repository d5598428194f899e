// The reload contract for auth types without an upstream sign-in, for keys that people paste, and for identity.
import * as assert from 'uvu/assert'
import { callMcp } from '../security/client.ts'
import { newBrowser, VICTIM } from '../security/world.ts'
import { CLIENT, type ServiceUpstream, startServiceUpstream } from '../support/service-upstream.ts'
import { type Doc, lastAt, type Scene, SECRETS } from './scene.ts'

interface WholeCase {
  readonly whole: (scene: Scene) => Promise<void>
}

const service = ({ tokenEndpoint }: ServiceUpstream) => ({
  token_endpoint: tokenEndpoint,
  client_id: CLIENT.id,
  client_secret: '${SERVICE_SECRET}',
})

const lastToken = ({ recorder }: ServiceUpstream) => {
  const request = recorder.to('POST /token').at(-1)
  assert.ok(request, 'a token was fetched')
  return request
}

/** An edit of `auth` counts from the next request on; nobody is asked anything. */
function fetchesAnew(
  type: 'client_credentials' | 'token_exchange',
  edit: (auth: Doc, upstream: ServiceUpstream, doc: Doc) => void,
  seen: (upstream: ServiceUpstream, scene: Scene) => void,
): WholeCase {
  return {
    async whole(scene) {
      const upstream = await startServiceUpstream()
      scene.after(() => upstream.close())
      await scene.edit((doc) => {
        doc.routes.key = {
          upstream: { url: upstream.mcpUrl },
          auth: { type, authorization_server: service(upstream), scope: 'one' },
        }
      })
      assert.is(await scene.call('key'), 200)
      const before = upstream.recorder.count('POST /token')
      await scene.edit((doc) => edit(doc.routes.key.auth, upstream, doc))
      assert.is(await scene.call('key'), 200)
      assert.ok(upstream.recorder.count('POST /token') > before, 'the old token is not the new one')
      seen(upstream, scene)
      for (const route of ['open', 'github'] as const) assert.is(await scene.call(route), 200, route)
    },
  }
}

/** The route stops asking people, or begins with another way of it. */
const becomes = (type: 'client_credentials' | 'token_exchange'): WholeCase => ({
  async whole(scene) {
    const upstream = await startServiceUpstream()
    scene.after(() => upstream.close())
    await scene.edit((doc) => {
      doc.routes.github.auth = { type, authorization_server: service(upstream) }
      doc.routes.github.upstream.url = upstream.mcpUrl
    })
    assert.is(await scene.call('github'), 200)
    assert.not.ok(upstream.recorder.saw(scene.github.tokens()[0]?.token ?? '-'))
  },
})

const form = (name: string, value: string) => (upstream: ServiceUpstream) =>
  assert.is(lastToken(upstream).form.get(name), value)

const SHARED = (type: 'client_credentials' | 'token_exchange'): Record<string, WholeCase> => ({
  [`type: ${type}`]: becomes(type),
  authorization_server: fetchesAnew(
    type,
    (auth, upstream, doc) => {
      doc.authorization_servers = {
        other: {
          ...service(upstream),
          token_endpoint_auth_method: 'client_secret_basic',
          issuer: 'https://as.example',
        },
      }
      auth.authorization_server = 'other'
    },
    () => {},
  ),
  scope: fetchesAnew(
    type,
    (auth) => {
      auth.scope = 'two'
    },
    form('scope', 'two'),
  ),
  resource: fetchesAnew(
    type,
    (auth) => {
      auth.resource = 'https://mcp.example.com/mcp'
    },
    form('resource', 'https://mcp.example.com/mcp'),
  ),
  audience: fetchesAnew(
    type,
    (auth) => {
      auth.audience = 'api://two'
    },
    form('audience', 'api://two'),
  ),
})

const EXCHANGE: Record<string, WholeCase> = {
  ...SHARED('token_exchange'),
  identity_provider: fetchesAnew(
    'token_exchange',
    (auth, upstream) => {
      auth.identity_provider = service(upstream)
    },
    (upstream) => assert.match(lastToken(upstream).form.get('assertion') ?? '', /^id-jag-/),
  ),
  subject_token: fetchesAnew(
    'token_exchange',
    (auth) => {
      auth.subject_token = '${ID_TOKEN}'
    },
    form('subject_token', SECRETS.ID_TOKEN),
  ),
  'subject_token: gateway': fetchesAnew(
    'token_exchange',
    (auth) => {
      auth.subject_token = 'gateway'
      auth.scope = 'two'
    },
    (upstream) => assert.is(upstream.subjects.at(-1)?.payload.sub, `users/${VICTIM.username}`),
  ),
  subject_token_type: fetchesAnew(
    'token_exchange',
    (auth) => {
      auth.subject_token_type = 'id_token'
      auth.scope = 'two'
    },
    form('subject_token_type', 'urn:ietf:params:oauth:token-type:id_token'),
  ),
  // Its issuer stands under trusted_issuers; without one the file is refused, and nothing changes.
  'subject_token: caller': {
    async whole(scene) {
      const before = structuredClone(scene.doc)
      const refused = await scene
        .edit((doc) => {
          doc.routes.key.auth = {
            type: 'token_exchange',
            authorization_server: { issuer: 'https://as.example', client_id: 'x' },
            subject_token: 'caller',
          }
        })
        .then(() => 'taken', String)
      assert.match(refused, 'refused')
      Object.assign(scene.doc, before)
      assert.is(await scene.call('key'), 200)
    },
  },
}

const pasted = { ...VICTIM, key: 'pasted-key' }

/** The key stays good, or has to be pasted anew and is not sent until then. */
function withKey(
  edit: (auth: Doc) => void,
  seen: (scene: Scene, access: string) => Promise<void>,
): WholeCase {
  return {
    async whole(scene) {
      await scene.edit((doc) => {
        doc.routes.key.auth = { type: 'user_api_key', name: 'X-API-Key' }
      })
      assert.is(await scene.call('key'), 401, 'nobody has pasted one')
      const { access } = await scene.signIn('key', pasted)
      assert.is((await callMcp(`${scene.url}/key`, access)).status, 200)
      assert.is(lastAt(scene.keyed).headers['x-api-key'], 'pasted-key')
      await scene.edit((doc) => edit(doc.routes.key.auth))
      await seen(scene, access)
      assert.is(await scene.call('open'), 200)
    },
  }
}

const mustPasteAgain = (edit: (auth: Doc) => void) =>
  withKey(edit, async (scene, access) => {
    const asked = scene.keyed.recorder.count()
    assert.is((await callMcp(`${scene.url}/key`, access)).status, 401)
    assert.is(scene.keyed.recorder.count(), asked)
    await scene.edit((doc) => {
      doc.routes.key.auth = { type: 'user_api_key', name: 'X-API-Key' }
    })
    assert.is((await callMcp(`${scene.url}/key`, access)).status, 200, 'the key is there again')
  })

/** What the page says to the next person. */
const onThePage = (edit: (auth: Doc) => void, text: string) =>
  withKey(edit, async (scene, access) => {
    assert.is((await callMcp(`${scene.url}/key`, access)).status, 200)
    const browser = newBrowser()
    await scene.signIn('key', pasted, browser)
    const consent = await scene.consent('key', browser)
    const page = await browser.submit(consent.form(), {}, { button: 'relink' })
    assert.match(page.html, text)
  })

const KEY: Record<string, WholeCase> = {
  'type: user_api_key': {
    async whole(scene) {
      const { auth } = scene.doc.routes.key
      const asked = scene.keyed.recorder.count()
      await scene.edit((doc) => {
        doc.routes.key.auth = { type: 'user_api_key', name: 'X-API-Key' }
      })
      assert.is(await scene.call('key'), 401, 'nobody has pasted one')
      assert.is(scene.keyed.recorder.count(), asked)
      await scene.edit((doc) => {
        doc.routes.key.auth = auth
      })
      assert.is(await scene.call('key'), 200)
    },
  },
  in: mustPasteAgain((auth) => {
    auth.in = 'query'
  }),
  name: mustPasteAgain((auth) => {
    auth.name = 'X-Other'
  }),
  prefix: withKey(
    (auth) => {
      auth.prefix = 'Token '
    },
    async (scene, access) => {
      assert.is((await callMcp(`${scene.url}/key`, access)).status, 200)
      assert.is(lastAt(scene.keyed).headers['x-api-key'], 'Token pasted-key')
    },
  ),
  instructions: onThePage((auth) => {
    auth.instructions = 'Ask Bob for one.'
  }, 'Ask Bob for one.'),
  help_url: onThePage((auth) => {
    auth.help_url = 'https://help.example/keys'
  }, 'https://help.example/keys'),
  check: withKey(
    (auth) => {
      auth.check = 'none'
    },
    async (scene) => {
      const asked = scene.keyed.recorder.count()
      await scene.signIn('key', pasted)
      assert.is(scene.keyed.recorder.count(), asked, 'taken as it is')
    },
  ),
}

const identity = (value: unknown, seen: (header: (name: string) => string) => void): WholeCase => ({
  async whole(scene) {
    await scene.edit((doc) => {
      doc.routes.open.identity = value
    })
    assert.is(await scene.call('open'), 200)
    const { headers } = lastAt(scene.open)
    seen((name) => String(headers[name]))
    for (const route of ['github', 'key'] as const) assert.is(await scene.call(route), 200, route)
  },
})

const claimsOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())

const IDENTITY: Record<string, WholeCase> = {
  headers: identity({ headers: { 'X-User': 'subject' } }, (header) =>
    assert.is(header('x-user'), `users/${VICTIM.username}`),
  ),
  'assertion.header': identity({ assertion: { header: 'X-Who' } }, (header) =>
    assert.is(claimsOf(header('x-who')).sub, `users/${VICTIM.username}`),
  ),
  'assertion.audience': identity({ assertion: { audience: 'tickets' } }, (header) =>
    assert.is(claimsOf(header('x-gateway-identity')).aud, 'tickets'),
  ),
  'assertion.ttl': identity({ assertion: { ttl: '5s' } }, (header) => {
    const { exp, iat } = claimsOf(header('x-gateway-identity'))
    assert.is(exp - iat, 5)
  }),
}

const under = (path: string, cases: Record<string, WholeCase>) =>
  Object.fromEntries(Object.entries(cases).map(([name, given]) => [`${path}.${name}`, given]))

export const UPSTREAM_AUTH_CASES: Record<string, WholeCase> = {
  'routes.*.auth: user_api_key': {
    async whole(scene) {
      await scene.edit((doc) => {
        doc.routes.key.auth = 'user_api_key'
      })
      assert.is(await scene.call('key'), 401)
      const { access } = await scene.signIn('key', pasted)
      assert.is((await callMcp(`${scene.url}/key`, access)).status, 200)
      assert.is(lastAt(scene.keyed).headers.authorization, 'Bearer pasted-key')
      assert.not.ok(scene.keyed.recorder.saw(access))
      assert.not.ok(scene.keyed.recorder.requests.at(-1)?.rawHeaders.includes(SECRETS.KEY))
    },
  },
  ...under('routes.*.auth[client_credentials]', SHARED('client_credentials')),
  ...under('routes.*.auth[token_exchange]', EXCHANGE),
  ...under('routes.*.auth[user_api_key]', KEY),
  ...under('routes.*.identity', IDENTITY),
}
