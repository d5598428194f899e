// A gateway with two people in front of a service upstream, and both of them signed in.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, callMcp, type Tokens } from '../security/client.ts'
import { ATTACKER, newBrowser, obtainTokens, PASSWORD_HASHES, TWO_USERS, VICTIM } from '../security/world.ts'
import { startGateway, type TestGateway } from './gateway.ts'
import { CLIENT, type ServiceUpstream, startServiceUpstream } from './service-upstream.ts'
import type { TestContext } from './suite.ts'

export interface ServiceScene {
  readonly upstream: ServiceUpstream
  readonly gateway: TestGateway
  readonly mcpUrl: string
  readonly victim: Tokens
  readonly attacker: Tokens
  /** Lets time pass for the gateway. */
  pass(ms: number): void
  call(tokens?: Tokens): ReturnType<typeof callMcp>
}

/** The environment that the routes below refer to. */
export const SERVICE_ENV = { ...PASSWORD_HASHES, CLIENT_SECRET: CLIENT.secret }

export const serverOf = ({ tokenEndpoint }: ServiceUpstream) =>
  `{ token_endpoint: "${tokenEndpoint}", client_id: ${CLIENT.id}, client_secret: "\${CLIENT_SECRET}" }`

/** `auth`: the lines of the route's `auth`, in braces. */
export async function startServiceScene(
  { after }: TestContext,
  auth: (upstream: ServiceUpstream) => string,
  options: {
    /** Further lines of the route. */
    more?: string
    /** In place of two users without anything else. */
    top?: string
    /** Beside the configuration. */
    files?: Record<string, string>
    prepare?: (upstream: ServiceUpstream) => void
  } = {},
): Promise<ServiceScene> {
  const upstream = await startServiceUpstream()
  after(() => upstream.close())
  options.prepare?.(upstream)
  let passedMs = 0
  const yaml = `version: 1
server: { port: 0 }
tokens: { access_ttl: 12h }
${options.top ?? TWO_USERS}
routes:
  service:
    upstream: ${upstream.mcpUrl}
    auth: ${auth(upstream)}
${options.more ?? ''}
`
  const prepare = (folder: string) =>
    Promise.all(
      Object.entries(options.files ?? {}).map(([name, text]) => writeFile(join(folder, name), text)),
    )
  const gateway = await startGateway({ yaml, env: SERVICE_ENV, prepare, now: () => Date.now() + passedMs })
  after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const tokensOf = async (person: typeof VICTIM | typeof ATTACKER) =>
    (await obtainTokens({ client, browser: newBrowser(), person })).tokens
  const [victim, attacker] = [await tokensOf(VICTIM), await tokensOf(ATTACKER)]
  const mcpUrl = `${gateway.url}/service`
  return {
    upstream,
    gateway,
    mcpUrl,
    victim,
    attacker,
    pass: (ms) => {
      passedMs += ms
    },
    call: (tokens = victim) => callMcp(mcpUrl, tokens.access),
  }
}
