// Who may use a route, by what the configuration says of its users: asked at the sign-in, at every request and every
// refresh, and again of the streams that are open, whenever the file changes.
import * as assert from 'uvu/assert'
import { type HeldUpstream, startHeldUpstream } from '../durable/held-upstream.ts'
import { openStream } from '../durable/open-stream.ts'
import { Client, callMcp } from '../security/client.ts'
import { ATTACKER, newBrowser, obtainTokens, PASSWORD_HASHES, VICTIM } from '../security/world.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Person, signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document } from '../support/yaml.ts'

const test = suite('flow/access')

/** Of the one whom the rules of these tests mean. The other has nothing of it. */
const KNOWN =
  'groups: [staff, ops], email: Victim@Example.com, claims: { department: engineering, roles: [writer, reader] }'

interface World {
  readonly gateway: TestGateway
  readonly held: HeldUpstream
  readonly client: Client
  readonly mcpUrl: string
  edit(access: string, known?: string): Promise<void>
  /** What the client gets for this person's consent. */
  outcome(person: Person): Promise<string>
}

async function startWorld({ after }: TestContext, access: string): Promise<World> {
  const held = await startHeldUpstream()
  after(() => held.close())
  const yaml = (rule: string, known = KNOWN) => `${document(`
  held: { upstream: "${held.url}", auth: none, access: ${rule} }
`)}login:
  users:
    victim: { password_hash: "\${VICTIM_HASH}", ${known} }
    attacker: { password_hash: "\${ATTACKER_HASH}" }
`
  const gateway = await startGateway({ yaml: yaml(access), env: PASSWORD_HASHES })
  after(() => gateway.close())
  const client = await Client.register(gateway.url)
  return {
    gateway,
    held,
    client,
    mcpUrl: `${gateway.url}/held`,
    edit: async (rule, known) => {
      await gateway.app.reload(yaml(rule, known))
    },
    outcome: async (person) => {
      const { callback } = await signIn(newBrowser(), client.trip().url, person)
      return callback.searchParams.get('error') ?? 'code'
    },
  }
}

const RULES: readonly (readonly [rule: string, without: string])[] = [
  ['{ groups: [board, ops] }', 'groups: [staff]'],
  ['{ users: [victim], deny: { groups: [contractors] } }', 'groups: [staff, contractors]'],
  ['{ email_domains: [EXAMPLE.com] }', 'email: victim@mail.example.com'],
  ['{ claims: { department: [research, engineering] } }', 'claims: { department: sales }'],
  ['{ claims: { roles: writer } }', 'claims: { roles: [owner] }'],
  ['{ users: [victim], deny: { email_domains: [example.org] } }', 'email: victim@example.org'],
  ['{ users: [victim], deny: { claims: { left: "true" } } }', 'claims: { left: "true" }'],
]

for (const [rule, without] of RULES) {
  test(`sec-T10: ${rule}: at the sign-in, on requests, at refreshes, and for streams`, async (context) => {
    const world = await startWorld(context, rule)
    const { client, mcpUrl, held } = world
    assert.is(await world.outcome(ATTACKER), 'access_denied')
    const { tokens } = await obtainTokens({ client, person: VICTIM })
    const stream = await openStream(mcpUrl, tokens.access)
    context.after(() => stream.close())

    await world.edit(rule, without)
    await stream.ended
    const before = held.recorder.count()
    const refused = await callMcp(mcpUrl, tokens.access)
    assert.equal([refused.status, refused.body.error], [403, 'access_denied'])
    assert.is(held.recorder.count(), before, 'the upstream must not notice')
    assert.is((await client.refresh(tokens.refresh)).body.error, 'invalid_grant')
    assert.is(await world.outcome(VICTIM), 'access_denied')

    await world.edit(rule)
    assert.is((await client.refresh(tokens.refresh)).status, 200, 'the grant was only out of use')
    const again = await openStream(mcpUrl, tokens.access)
    again.close()
  })
}

test('sec-T10: users, and who is denied by name: it is the rule that changes then', async (context) => {
  const world = await startWorld(context, '{ users: [victim] }')
  const { client, mcpUrl } = world
  assert.is(await world.outcome(ATTACKER), 'access_denied')
  const { tokens } = await obtainTokens({ client, person: VICTIM })
  for (const rule of ['{ users: [attacker] }', '{ deny: { users: [victim] } }', '{ users: [] }']) {
    await world.edit('{ users: [victim] }')
    const stream = await openStream(mcpUrl, tokens.access)
    context.after(() => stream.close())
    await world.edit(rule)
    await stream.ended
    assert.equal([rule, (await callMcp(mcpUrl, tokens.access)).status], [rule, 403])
    assert.equal([rule, (await client.refresh(tokens.refresh)).body.error], [rule, 'invalid_grant'])
    assert.equal([rule, await world.outcome(VICTIM)], [rule, 'access_denied'])
  }
  await world.edit('{ users: [victim] }')
  assert.is((await client.refresh(tokens.refresh)).status, 200)
})

test('an edit of the rule alone counts as much as one of the person', async (context) => {
  const world = await startWorld(context, '{ email_domains: [example.com] }')
  const { tokens } = await obtainTokens({ client: world.client, person: VICTIM })
  const stream = await openStream(world.mcpUrl, tokens.access)
  context.after(() => stream.close())
  await world.edit('{ email_domains: [example.com], deny: { claims: { roles: reader } } }')
  await stream.ended
  assert.is((await callMcp(world.mcpUrl, tokens.access)).status, 403)
})

test.run()
