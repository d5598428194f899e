// The gateway as the suite's MCP client: for each scenario a gateway of its own on a one-route file for the URL that the
// suite gives, and a real SDK client with a person at its browser that signs in through it, lists and calls.
import { fileURLToPath } from 'node:url'
import { UnauthorizedError as UnauthorizedV2 } from '@modelcontextprotocol/client'
import { UnauthorizedError as UnauthorizedV1 } from '@modelcontextprotocol/sdk/client/auth.js'
import { connectV1, connectV2 } from '../../support/clients.ts'
import { startGateway, USER } from '../../support/gateway.ts'
import { type Listening, listen, readBody } from '../../support/http.ts'

export interface Assignment {
  readonly scenario: string
  readonly revision: string
  readonly serverUrl: string
  readonly context: Context
}
/** What the suite tells some scenarios' clients. */
export interface Context extends Readonly<Record<string, unknown>> {
  readonly toolCalls?: readonly ToolCall[]
}
interface ToolCall {
  readonly name: string
  readonly arguments?: Record<string, unknown>
}
export interface Wrapper extends Listening {
  /** For the suite's `--command`. */
  readonly command: string
  /** How each scenario's walk ended: undefined, or why it did not get to its end. */
  readonly ends: Map<string, string | undefined>
}

/** A person who is sent round in circles gives up. */
const MOST_SIGN_INS = 3

export async function startWrapper(): Promise<Wrapper> {
  const ends: Wrapper['ends'] = new Map()
  const listening = await listen(async (request, response) => {
    const assignment = JSON.parse((await readBody(request)).toString()) as Assignment
    const failure = await perform(assignment).then(
      () => undefined,
      (error: Error) => `${error.name}: ${error.message}`,
    )
    ends.set(assignment.scenario, failure)
    response.writeHead(failure === undefined ? 200 : 500).end(failure)
  })
  const program = fileURLToPath(new URL('wrapper-command.mjs', import.meta.url))
  return { ...listening, command: `${process.execPath} ${program}`, ends }
}

async function perform({ scenario, revision, serverUrl, context }: Assignment): Promise<void> {
  const isProtected = scenario.startsWith('auth/')
  const { auth, env } = isProtected ? await registrationFor(scenario, serverUrl, context) : OPEN
  const route = JSON.stringify({ upstream: serverUrl, ...(auth !== undefined && { auth }) })
  const yaml = `version: 1\nserver: { port: 0 }\nroutes: { mcp: ${route} }\n`
  const gateway = await startGateway({ yaml, env })
  try {
    const session = await (revision >= '2026' ? openV2 : openV1)(`${gateway.url}/mcp`)
    await (isProtected ? walk(session) : exercise(session, context)).finally(session.close)
  } finally {
    await gateway.close()
  }
}

/** What the SDKs' clients have in common. */
interface McpClient {
  listTools(): Promise<{ tools: readonly { name: string }[] }>
  callTool(call: ToolCall): Promise<unknown>
  listResources(): Promise<{ resources: readonly { uri: string }[] }>
  readResource(resource: { uri: string }): Promise<unknown>
  listPrompts(): Promise<{ prompts: readonly { name: string }[] }>
  getPrompt(prompt: { name: string }): Promise<unknown>
}
interface Session {
  readonly client: McpClient
  /** After the person came back to the application. */
  finishSignIn(): Promise<void>
  close(): Promise<void>
}

async function openV1(url: string): Promise<Session> {
  const { client, transport, provider, close } = await connectV1(url, { person: USER })
  const finishSignIn = () => transport.finishAuth(provider.callback().get('code') ?? '')
  return { client, finishSignIn, close }
}

async function openV2(url: string): Promise<Session> {
  const { client, transport, provider, close } = await connectV2(url, { person: USER })
  return { client, finishSignIn: () => transport.finishAuth(provider.callback()), close }
}

async function walk(session: Session): Promise<void> {
  const { client } = session
  await signingIn(session, () => client.listTools())
  await signingIn(session, () => client.callTool({ name: 'test-tool' }))
}

/** Everything once that an open server has to offer. Each may fail: the suite judges what was sent. */
async function exercise({ client }: Session, { toolCalls }: Context): Promise<void> {
  const tried = async <T>(work: Promise<T>): Promise<T | undefined> => work.catch(() => undefined)
  const tools = (await tried(client.listTools()))?.tools ?? []
  const calls = toolCalls ?? tools.map(({ name }) => ({ name, arguments: {} }))
  for (const call of calls) await tried(client.callTool(call))
  const [resource] = (await tried(client.listResources()))?.resources ?? []
  if (resource !== undefined) await tried(client.readResource({ uri: resource.uri }))
  const [prompt] = (await tried(client.listPrompts()))?.prompts ?? []
  if (prompt !== undefined) await tried(client.getPrompt({ name: prompt.name }))
}

/** What an application does when the SDK says that its user has to sign in, and then once more what it was about to do. */
async function signingIn(
  { finishSignIn }: Pick<Session, 'finishSignIn'>,
  work: () => Promise<unknown>,
): Promise<void> {
  for (let signIns = 0; ; signIns += 1) {
    try {
      await work()
      return
    } catch (error) {
      const again = error instanceof UnauthorizedV1 || error instanceof UnauthorizedV2
      if (!again || signIns >= MOST_SIGN_INS) throw error
      await finishSignIn()
    }
  }
}

interface Registration {
  readonly auth?: 'none' | Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string>>
}

const BY_URL_ALONE: Registration = { env: {} }
const OPEN: Registration = { auth: 'none', env: {} }

async function registrationFor(scenario: string, serverUrl: string, context: Context): Promise<Registration> {
  const configure = AUTH[scenario]
  if (configure === undefined) return BY_URL_ALONE
  return configure(context, NAMELESS.includes(scenario) ? await issuerOf(serverUrl) : '')
}

/** There the suite does not say whose credentials these are. */
const NAMELESS: readonly string[] = ['auth/client-credentials-basic', 'auth/enterprise-managed-authorization']

/** Where the suite hands out credentials, an operator would have them in the file. Everywhere else the URL is all there is. */
const AUTH: Readonly<Record<string, (context: Context, issuer: string) => Registration>> = {
  'auth/basic-cimd': () => ({
    auth: {
      type: 'authorization_code',
      authorization_server: { client_id_metadata_url: 'https://conformance-test.local/client-metadata.json' },
    },
    env: {},
  }),
  'auth/pre-registration': ({ issuer, client_id, client_secret }) => ({
    auth: {
      type: 'authorization_code',
      authorization_server: { issuer, client_id, client_secret: '${SECRET}' },
    },
    env: { SECRET: String(client_secret) },
  }),
  'auth/client-credentials-jwt': ({ client_id, private_key_pem }) => ({
    auth: {
      type: 'client_credentials',
      authorization_server: { client_id, private_key: '${KEY}' },
    },
    env: { KEY: String(private_key_pem) },
  }),
  'auth/client-credentials-basic': ({ client_id, client_secret }, issuer) => ({
    auth: {
      type: 'client_credentials',
      authorization_server: { issuer, client_id, client_secret: '${SECRET}' },
    },
    env: { SECRET: String(client_secret) },
  }),
  'auth/enterprise-managed-authorization': (context, issuer) => ({
    auth: {
      type: 'token_exchange',
      authorization_server: { issuer, client_id: context.client_id, client_secret: '${SECRET}' },
      identity_provider: { token_endpoint: context.idp_token_endpoint, client_id: context.idp_client_id },
      subject_token: '${ID_TOKEN}',
    },
    env: { SECRET: String(context.client_secret), ID_TOKEN: String(context.idp_id_token) },
  }),
}

/** Who got credentials from a server knows which one that was; a secret is never given away on an upstream's word. */
async function issuerOf(serverUrl: string): Promise<string> {
  const { origin, pathname } = new URL(serverUrl)
  const answer = await fetch(`${origin}/.well-known/oauth-protected-resource${pathname}`)
  const document = (await answer.json()) as { authorization_servers: string[] }
  return document.authorization_servers[0] ?? ''
}
