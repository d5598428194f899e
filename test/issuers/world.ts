// A gateway with a route that takes another issuer's tokens, one that takes its own, and an upstream behind each.
import * as assert from 'uvu/assert'
import { callMcp, callTool } from '../security/client.ts'
import { PASSWORD_HASHES, TWO_USERS } from '../security/world.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startMcpServer, type TestMcpServer } from '../support/mcp-server.ts'
import type { Suite, TestContext } from '../support/suite.ts'
import { startTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts'
import { document, openRoute } from '../support/yaml.ts'

export interface IssuerWorld {
  readonly gateway: TestGateway
  readonly url: string
  /** The route that takes the issuer's tokens. */
  readonly mcpUrl: string
  readonly idp: TokenIssuer
  readonly upstream: TestMcpServer
  readonly own: TestMcpServer
  /** Lets time pass, for the gateway and for the issuer. */
  pass(ms: number): void
  /** Writes the file anew and has it taken over. */
  edit(changes: Partial<Settings>): Promise<void>
  /** A good token with these claims over it. */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>
  status(token: string | undefined): Promise<number>
}

interface Settings {
  /** Of the trusted issuer, behind `issuer`. */
  readonly issuer: string
  /** Behind `name: idp`. */
  readonly tokenIssuer: string
  /** Further lines of the route. */
  readonly route: string
  readonly more: string
}

export async function startIssuerWorld(
  { after }: TestContext,
  changes: Partial<Settings> = {},
  { alg = 'ES256' } = {},
): Promise<IssuerWorld> {
  let passedMs = 0
  const now = () => Date.now() + passedMs
  const idp = await startTokenIssuer({ now, alg })
  after(() => idp.close())
  const [upstream, own] = await Promise.all([startMcpServer(), startMcpServer()])
  for (const server of [upstream, own]) after(() => server.close())
  const given = { issuer: '', tokenIssuer: '', route: '', more: TWO_USERS, ...changes }
  const yaml = ({ issuer, tokenIssuer, route, more }: Settings) =>
    [
      document(
        openRoute('reports', upstream, `    token_issuer: { name: idp${tokenIssuer} }\n${route}`),
        openRoute('own', own),
      ),
      `trusted_issuers:\n  idp: { issuer: "${idp.issuer}"${issuer} }\n`,
      more,
    ].join('')
  const gateway = await startGateway({ yaml: yaml(given), env: PASSWORD_HASHES, now })
  after(() => gateway.close())
  const mcpUrl = `${gateway.url}/reports`
  return {
    gateway,
    url: gateway.url,
    mcpUrl,
    idp,
    upstream,
    own,
    pass: (ms) => {
      passedMs += ms
    },
    async edit(edited) {
      await gateway.write(yaml({ ...given, ...edited }))
      const outcome = await gateway.follower.reload()
      if (outcome.kind !== 'applied') throw new Error(`${outcome.kind}: ${JSON.stringify(outcome)}`)
    },
    token: (claims) => idp.token(mcpUrl, claims),
    status: async (token) => (await callMcp(mcpUrl, token)).status,
  }
}

/** The issuer's good token still gets a tool's result. */
export async function stillWorks(world: IssuerWorld): Promise<void> {
  assert.is(await callTool(world.mcpUrl, await world.token(), 'add', { a: 2, b: 3 }), '5')
}

/** How often the upstreams were asked for anything. */
export const upstreamRequests = ({ upstream, own }: IssuerWorld) =>
  upstream.recorder.count() + own.recorder.count()

export const challengeOf = ({ headers }: { readonly headers: Headers }) =>
  headers.get('www-authenticate') ?? ''

/** One world for all tests of a suite. */
export function sharedWorld(test: Suite, changes: Partial<Settings> = {}): () => IssuerWorld {
  const cleanups: (() => unknown)[] = []
  let world: IssuerWorld | undefined
  test.before(async () => {
    world = await startIssuerWorld({ after: (cleanup) => cleanups.unshift(cleanup) }, changes)
  })
  test.after(async () => {
    for (const cleanup of cleanups) await cleanup()
  })
  return () => {
    if (world === undefined) throw new Error('the world did not start')
    return world
  }
}
