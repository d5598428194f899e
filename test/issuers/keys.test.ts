// The keys of a trusted issuer: found by its metadata, kept within bounds, replaced when they rotate, and not missed
// for a while when the issuer is down.
import { exportJWK } from 'jose'
import * as assert from 'uvu/assert'
import type { ControlHttp } from '../../src/upstream/http.ts'
import { surveyKeys } from '../../src/upstream/issuer-keys.ts'
import { callMcp } from '../security/client.ts'
import { suite } from '../support/suite.ts'
import { METADATA, newSigningKey, OPENID, startTokenIssuer } from '../support/token-issuer.ts'
import { type IssuerWorld, sharedWorld, startIssuerWorld, stillWorks, upstreamRequests } from './world.ts'

const test = suite('issuers/keys')
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const asked = ({ idp: { recorder } }: IssuerWorld) => recorder.count('/jwks')

/** Nobody is sent to sign in again for what the issuer's server does. */
async function assertUnavailable(world: IssuerWorld, token?: string): Promise<void> {
  const before = upstreamRequests(world)
  const answer = await callMcp(world.mcpUrl, token ?? (await world.token()))
  assert.is(answer.status, 503, answer.text)
  assert.is(answer.headers.get('www-authenticate'), null)
  assert.ok(Number(answer.headers.get('retry-after')) > 0)
  assert.not.match(answer.text, world.idp.issuer)
  assert.is(upstreamRequests(world), before)
}

test('they are asked for once, when the first token comes, and by all who wait at once', async (context) => {
  const world = await startIssuerWorld(context)
  assert.is(world.idp.recorder.count(), 0)
  const tokens = await Promise.all(Array.from({ length: 20 }, () => world.token()))
  const statuses = await Promise.all(tokens.map(world.status))
  assert.equal([...new Set(statuses)], [200])
  assert.is(asked(world), 1)
  assert.equal(
    world.idp.recorder.requests.map(({ path }) => path),
    [METADATA, OPENID, '/jwks'],
    'RFC 8414 first, then OpenID Connect Discovery',
  )
})

test('a jwks_uri that is written down is asked, and nothing else', async (context) => {
  const world = await startIssuerWorld(context)
  await world.edit({ issuer: `, jwks_uri: "${world.idp.issuer}/jwks"` })
  await stillWorks(world)
  assert.equal([...new Set(world.idp.recorder.requests.map(({ path }) => path))], ['/jwks'])
})

test('bearers of nonsense make us ask nobody', async (context) => {
  const world = await startIssuerWorld(context)
  const { idp, mcpUrl } = world
  const nonsense = [
    'abc',
    'a.b.c',
    await idp.token(mcpUrl, { iss: 'https://evil.test' }),
    await idp.token(mcpUrl, {}, { header: { typ: 'JWT' } }),
    await idp.token(mcpUrl, { filler: 'x'.repeat(9_000) }),
  ]
  for (const token of nonsense) assert.is(await world.status(token), 401)
  assert.is(idp.recorder.count(), 0)
  await stillWorks(world)
})

test('spec-X5: a rotated key is fetched when the first token names it, and the one that is gone is good no more', async (context) => {
  const world = await startIssuerWorld(context)
  await stillWorks(world)
  const next = await newSigningKey('key-2')
  world.idp.knobs.keys = [next]
  world.pass(MINUTE_MS)
  const by = (key: typeof next) => world.idp.token(world.mcpUrl, {}, { key })
  assert.is(await world.status(await by(next)), 200)
  assert.is(asked(world), 2)
  assert.is(await world.status(await world.token()), 401, 'the old key is not published any more')
})

test('sec-F7: a flood of made-up key ids is one request to the issuer in half a minute', async (context) => {
  const world = await startIssuerWorld(context)
  await stillWorks(world)
  world.pass(MINUTE_MS)
  const made = await newSigningKey('made-up')
  const flood = async () => {
    const tokens = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        world.idp.token(world.mcpUrl, {}, { key: { ...made, kid: `made-up-${index}` } }),
      ),
    )
    for (const token of tokens) assert.is(await world.status(token), 401)
  }
  await flood()
  assert.is(asked(world), 2)
  await stillWorks(world)
  world.pass(31_000)
  await flood()
  assert.is(asked(world), 3)
})

test('they are kept as HTTP says, within bounds', async (context) => {
  const world = await startIssuerWorld(context)
  const after = async (cacheControl: string | undefined, ms: number) => {
    world.idp.knobs.cacheControl = cacheControl
    world.pass(2 * HOUR_MS)
    await stillWorks(world)
    const before = asked(world)
    world.pass(ms)
    await stillWorks(world)
    return asked(world) - before
  }
  assert.is(await after('max-age=1800', 29 * MINUTE_MS), 0)
  assert.is(await after('max-age=1800', 31 * MINUTE_MS), 1)
  assert.is(await after('max-age=1', 4 * MINUTE_MS), 0, 'not shorter than five minutes')
  assert.is(await after('no-store', 4 * MINUTE_MS), 0, 'or every request would be two')
  assert.is(await after('max-age=86400', 61 * MINUTE_MS), 1, 'a withdrawn key is gone within the hour')
  assert.is(await after(undefined, 11 * MINUTE_MS), 1)
})

test('while the issuer is down the last good keys go on for a day, and it is left in peace', async (context) => {
  const world = await startIssuerWorld(context)
  await stillWorks(world)
  world.idp.knobs.isDown = true
  world.pass(2 * HOUR_MS)
  await stillWorks(world)
  const before = world.idp.recorder.count()
  for (let times = 0; times < 3; times++) await stillWorks(world)
  assert.is(world.idp.recorder.count(), before, 'asked once in half a minute')
  assert.ok(
    world.gateway.log.some(
      ({ level, event }) => level === 'warn' && event.startsWith('the keys of an issuer could not'),
    ),
  )
  world.pass(24 * HOUR_MS)
  await assertUnavailable(world)
  world.idp.knobs.isDown = false
  world.pass(2_000)
  await stillWorks(world)
})

test('an issuer that was never reached makes its tokens unusable for now, not invalid; errors are not kept', async (context) => {
  const world = await startIssuerWorld(context)
  world.idp.knobs.isDown = true
  await assertUnavailable(world)
  const before = world.idp.recorder.count()
  await assertUnavailable(world)
  assert.is(world.idp.recorder.count(), before, 'not once for every request')
  world.idp.knobs.isDown = false
  world.pass(1_500)
  await stillWorks(world)
})

test('a new key that cannot be fetched now is no reason to sign in again', async (context) => {
  const world = await startIssuerWorld(context)
  await stillWorks(world)
  world.pass(MINUTE_MS)
  world.idp.knobs.isDown = true
  const key = await newSigningKey('key-2')
  await assertUnavailable(world, await world.idp.token(world.mcpUrl, {}, { key }))
  await stillWorks(world)
})

const DISTRUSTED: Readonly<Record<string, (world: IssuerWorld) => void>> = {
  'metadata of another issuer': ({ idp }) => {
    idp.knobs.named = 'https://evil.test'
  },
  'metadata that differs by a slash': ({ idp }) => {
    idp.knobs.named = `${idp.issuer}/`
  },
  'no metadata at all': ({ idp }) => {
    idp.knobs.metadataPaths = []
  },
  'errors instead of metadata': ({ idp }) => {
    idp.knobs.status = 500
  },
  'keys on a private address': ({ idp }) => {
    idp.knobs.jwksUri = 'https://10.0.0.1/jwks'
  },
  'keys over plain http': ({ idp }) => {
    idp.knobs.jwksUri = 'http://keys.example/jwks'
  },
  'keys in a file': ({ idp }) => {
    idp.knobs.jwksUri = 'file:///etc/passwd'
  },
  'no key set where it should be': ({ idp }) => {
    idp.knobs.jwksUri = `${idp.issuer}${OPENID}`
  },
}
const shared = sharedWorld(test)
for (const [name, spoil] of Object.entries(DISTRUSTED)) {
  test(`sec-F9: nobody is let in by ${name}`, async () => {
    const world = shared()
    const { knobs } = world.idp
    const good = { ...knobs }
    spoil(world)
    await assertUnavailable(world)
    Object.assign(knobs, good)
    world.pass(2_000)
    await stillWorks(world)
    // What is known now is forgotten before the next one.
    world.pass(25 * HOUR_MS)
  })
}

test('a key that is none, or a private one, verifies nothing and harms no other', async (context) => {
  const world = await startIssuerWorld(context)
  const [broken, leaked] = [await newSigningKey('broken'), await newSigningKey('leaked')]
  const secret = await exportJWK(leaked.privateKey)
  world.idp.knobs.keys = [
    { ...broken, jwk: { ...broken.jwk, x: 'AAAA' } },
    { ...leaked, jwk: { ...secret, kid: 'leaked' } },
    world.idp.key,
  ]
  for (const key of [broken, leaked])
    assert.is(await world.status(await world.idp.token(world.mcpUrl, {}, { key })), 401)
  await stillWorks(world)
})

test('sec-F9: keys that metadata names on another host of this machine are not asked for', async (context) => {
  const world = await startIssuerWorld(context)
  const other = await startTokenIssuer()
  context.after(() => other.close())
  other.knobs.keys = [world.idp.key]
  world.idp.knobs.jwksUri = `http://localhost:${other.port}/jwks`
  await assertUnavailable(world)
  assert.is(other.recorder.count(), 0)
  world.idp.knobs.jwksUri = `http://127.0.0.1:${other.port}/jwks`
  world.pass(2_000)
  await stillWorks(world)
})

test('an issuer that cannot say where its keys are is not asked at its other addresses', async () => {
  const asked: string[] = []
  const http: ControlHttp = async ({ url }) => {
    asked.push(url.pathname)
    const body = JSON.stringify({
      issuer: 'https://idp.example',
      jwks_uri: 'https://idp.example/jwks',
      keys: [],
    })
    return { status: url.pathname === METADATA ? 503 : 200, headers: {}, body: Buffer.from(body) }
  }
  const issuer = { issuer: 'https://idp.example', algorithms: ['ES256'], id_jag: false, legacy_typ: false }
  const claims = { email: 'email', groups: 'groups' }
  const thrown = await surveyKeys(http, { ...issuer, claims }).then(String, String)
  assert.match(thrown, 'answered with 503')
  assert.equal(asked, [METADATA])
})

test('a clock that was set back does not keep a new key out', async (context) => {
  const world = await startIssuerWorld(context)
  await stillWorks(world)
  world.pass(-HOUR_MS)
  const next = await newSigningKey('key-2')
  world.idp.knobs.keys = [next]
  assert.is(await world.status(await world.idp.token(world.mcpUrl, {}, { key: next })), 200)
})

test.run()
