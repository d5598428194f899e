// Acts a persona out, from the URL that a person entered to a refreshed token, and checks on the way what the client
// relies on and what the upstream must never see.
import * as assert from 'uvu/assert'
import type { Person } from '../support/person.ts'
import { discover } from './discovery.ts'
import { sender } from './http.ts'
import { identify, register } from './identity.ts'
import { callTool, hello } from './mcp.ts'
import type { Persona } from './persona.ts'
import type { Route, Scene } from './scene.ts'
import { resourceOf, type SignedIn, signIn } from './sign-in.ts'
import { type Holder, redeem, refresh, revoke, type Tokens, tokensOf } from './tokens.ts'

export interface Walk {
  readonly scene: Scene
  readonly route: Route
  readonly person: Person & { readonly upstreamName: string }
  readonly holder: Holder
  /** Everything that is between the client and the gateway alone. */
  readonly secrets: Set<string>
}

/** From the URL to a tool call. */
export async function connect(persona: Persona, scene: Scene, route: Route): Promise<[Walk, Tokens]> {
  const send = sender(persona.origin)
  const found = await discover(persona, route.url, send)
  const credentials = await identify(persona, found, scene.host, send)
  const resource = resourceOf(persona, found, route.url)
  const holder = { persona, found, credentials, resource, send, now: scene.now }
  const walk = { scene, route, person: scene.newPerson(), holder, secrets: new Set<string>() }
  return [walk, await authorize(walk)]
}

async function authorize(walk: Walk): Promise<Tokens> {
  const { scene, route, person, holder, secrets } = walk
  const { persona, credentials, found } = holder
  const signedIn = await signIn(persona, credentials.id, found, route.url, person)
  checkScreens(walk, signedIn)
  const { code, verifier, challenge, state } = signedIn
  const tokens = tokensOf(await redeem(holder, code, verifier))
  assert.ok(tokens.scope.split(' ').includes(`mcp:${route.name}`), tokens.scope)
  const { expiresInSeconds } = tokens
  assert.ok(expiresInSeconds <= ACCESS_TTL_SECONDS && expiresInSeconds > ACCESS_TTL_SECONDS - 60)
  for (const secret of [code, verifier, challenge, state, credentials.id, credentials.secret])
    if (secret !== undefined) secrets.add(secret)
  await use(walk, tokens)
  assert.not.ok(scene.host.recorder.saw(code), 'the host of the documents learns nothing of sign-ins')
  return tokens
}

/** Both screens: the gateway's, which says who asks and where the code goes; then the upstream's. */
function checkScreens({ route, scene, holder }: Walk, { pages }: SignedIn): void {
  const places = pages.map(({ url }) => url.origin)
  const gateway = new URL(scene.gateway.url).origin
  assert.is(places[0], gateway)
  assert.is(places.at(-1), route.upstream)
  assert.is(places.lastIndexOf(gateway) + 1, places.indexOf(route.upstream), 'one after the other')
  const consent = pages.findLast(({ url }) => url.origin === gateway)?.text ?? ''
  const { redirectUri, identity } = holder.persona
  const { protocol, hostname } = new URL(redirectUri)
  assert.match(consent, /^https?:$/.test(protocol) ? hostname : redirectUri)
  if (identity.by === 'configuration') return
  const { client_name: name } = identity.by === 'document' ? identity.document : identity.metadata
  assert.match(consent, String(name))
}

/** The default: clients with refresh gaps fall out of shorter ones. */
const ACCESS_TTL_SECONDS = 3600

/** The tool answers as the account that this person has at the upstream, which sees nothing of the client's. */
export async function use(walk: Walk, { access, refresh: refreshToken }: Tokens): Promise<void> {
  const { route, person, holder, secrets } = walk
  const { send, persona } = holder
  const { protocolVersion } = persona
  assert.match(
    (await callTool(send, route.url, access, protocolVersion, 'whoami')) ?? '',
    person.upstreamName,
  )
  secrets.add(access).add(refreshToken)
  for (const { recorder } of walk.scene.routes) {
    for (const secret of secrets) assert.not.ok(recorder.saw(secret), 'no upstream sees what is the client’s')
  }
}

/** An hour later: 401, a refresh as the client does it, and on. */
export async function comeBack(walk: Walk, tokens: Tokens): Promise<Tokens> {
  walk.scene.advance(ACCESS_TTL_SECONDS + 1)
  const { send, persona } = walk.holder
  const { status, header } = await hello(send, walk.route.url, tokens.access, persona.protocolVersion)
  assert.is(status, 401)
  assert.match(header('www-authenticate') ?? '', /^Bearer error="invalid_token".* resource_metadata="/)
  const [first, ...others] = await Promise.all(
    Array.from({ length: persona.processes ?? 1 }, async () =>
      tokensOf(await refresh(walk.holder, tokens.refresh)),
    ),
  )
  if (first === undefined) throw new Error('nobody refreshed')
  assert.is.not(first.refresh, tokens.refresh, 'rotated')
  for (const other of others) assert.equal(other, first, 'all processes end up with the same tokens')
  await use(walk, first)
  return first
}

/** A registration that this gateway did not make, or made under a key it has lost: the client registers anew. */
export async function startOver(walk: Walk, { refresh: refreshToken }: Tokens, dead: string): Promise<void> {
  const { holder, scene } = walk
  const { persona, found, send, credentials } = holder
  const before = walk.route.recorder.count()
  const lost: Holder = { ...holder, credentials: { ...credentials, id: dead } }
  const refused = await refresh(lost, refreshToken)
  assert.equal([refused.status, refused.body.error], [401, 'invalid_client'])
  assert.is(walk.route.recorder.count(), before, 'the upstream hears nothing of it')
  if (persona.identity.by !== 'registration') throw new Error(`${persona.name} does not register`)
  const renewed = await register(persona, persona.identity.metadata, found, send)
  assert.is.not(renewed.id, credentials.id)
  await authorize({ ...walk, person: scene.newPerson(), holder: { ...holder, credentials: renewed } })
}

export async function disconnect(walk: Walk, tokens: Tokens): Promise<void> {
  await revoke(walk.holder, tokens.refresh)
  const { status, body } = await refresh(walk.holder, tokens.refresh)
  assert.equal([status, body.error], [400, 'invalid_grant'])
  const { send, persona } = walk.holder
  assert.is((await hello(send, walk.route.url, tokens.access, persona.protocolVersion)).status, 401)
}
