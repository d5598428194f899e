// A running gateway with one route of each kind, a person who is signed in to all of them, and edits of its file.
import { execFileSync } from 'node:child_process'
import { request as httpRequest } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'

import * as assert from 'uvu/assert'
import { Client, callMcp, type Tokens } from '../security/client.ts'
import {
  ATTACKER,
  newBrowser,
  obtainTokens,
  openConsent,
  PASSWORD_HASHES,
  VICTIM,
} from '../security/world.ts'
import type { Browser } from '../support/browser.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Github, startGithub } from '../support/github.ts'
import { startMcpServer, type TestMcpServer } from '../support/mcp-server.ts'
import type { Page } from '../support/page.ts'
import type { Person } from '../support/person.ts'
import { CLIENT as SERVICE_CLIENT } from '../support/service-upstream.ts'
import type { TestContext } from '../support/suite.ts'

/** The file as an object: JSON is YAML. Each test writes into it freely. */
// biome-ignore lint/suspicious/noExplicitAny: the tests write valid and invalid files alike
export type Doc = any

export const ROUTES = ['github', 'open', 'key'] as const
export type RouteName = (typeof ROUTES)[number]

export interface Scene {
  readonly github: Github
  readonly open: TestMcpServer
  readonly keyed: TestMcpServer
  /** Another one, that no route leads to yet. */
  readonly other: TestMcpServer
  /** Accepts connections and never says a word. */
  readonly silentPort: number
  readonly gateway: TestGateway
  readonly url: string
  readonly client: Client
  readonly browser: Browser
  readonly tokens: Readonly<Record<RouteName, Tokens>>
  readonly doc: Doc
  /** Saves the file and has it taken over. */
  edit(change: (doc: Doc) => void): Promise<void>
  /** The status of a request with the person's token. */
  call(route: RouteName, headers?: Record<string, string>): Promise<number>
  consent(route: RouteName, browser?: Browser): Promise<Page>
  signIn(route: RouteName, person?: Person, browser?: Browser): Promise<Tokens>
  /** Runs when the test is over. */
  readonly after: TestContext['after']
  /** Lets time pass for the gateway. */
  pass(ms: number): void
}

/** A certificate and its key, as PEM. */
function selfSigned(): Record<'TLS_CERT' | 'TLS_KEY', string> {
  const pem = execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-days', '2', '-subj', '/CN=localhost', '-keyout', '-', '-out', '-'],
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  ).toString()
  const part = (name: RegExp) => pem.match(name)?.[0] ?? ''
  return {
    TLS_CERT: part(/-----BEGIN CERTIFICATE[\s\S]*END CERTIFICATE-----/),
    TLS_KEY: part(/-----BEGIN [A-Z ]*PRIVATE KEY[\s\S]*PRIVATE KEY-----/),
  }
}

export const SECRETS = {
  ...selfSigned(),
  ...PASSWORD_HASHES,
  KEY: 'key-one',
  KEY_TWO: 'key-two',
  SECRET_TWO: 'secret-two',
  SERVICE_SECRET: SERVICE_CLIENT.secret,
  /** Nobody signed it: the test upstream takes any. */
  ID_TOKEN: ['{"alg":"none"}', '{"sub":"robot"}', '']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.'),
  STORE_KEY: Buffer.alloc(32, 7).toString('base64url'),
}

export async function startScene(
  context: TestContext,
  prepare: (doc: Doc) => void = () => {},
): Promise<Scene> {
  const { after } = context
  const [github, open, keyed, other] = await Promise.all([
    startGithub(),
    startMcpServer(),
    startMcpServer(),
    startMcpServer(),
  ])
  for (const server of [github, open, keyed, other]) after(() => server.close())
  const doc = documentFor(github, open, keyed)
  prepare(doc)
  let passedMs = 0
  const gateway = await startGateway({
    yaml: textOf(doc),
    env: { ...SECRETS, GITHUB_SECRET: github.knobs.clientSecret },
    now: () => Date.now() + passedMs,
  })
  after(() => gateway.close())
  const { url } = gateway
  const client = await Client.register(url)
  const browser = newBrowser()
  const resource = (route: RouteName) => ({ resource: `${url}/${route}` })
  const tokens = {} as Record<RouteName, Tokens>
  for (const route of ROUTES) {
    if (doc.routes[route] === undefined) continue
    tokens[route] = (await obtainTokens({ client, browser, overrides: resource(route) })).tokens
  }
  return {
    github,
    open,
    keyed,
    other,
    silentPort: await startSilent(context),
    gateway,
    url,
    client,
    browser,
    tokens,
    doc,
    async edit(change) {
      change(doc)
      await gateway.write(textOf(doc))
      const outcome = await gateway.follower.reload()
      if (outcome.kind !== 'applied') throw new Error(`${outcome.kind}: ${JSON.stringify(outcome)}`)
    },
    call: async (route, headers) =>
      (await callMcp(`${url}/${route}`, tokens[route].access, undefined, headers)).status,
    consent: async (route, visitor = newBrowser()) =>
      (await openConsent(visitor, client, resource(route))).page,
    signIn: async (route, person = VICTIM, visitor = newBrowser()) =>
      (await obtainTokens({ client, browser: visitor, person, overrides: resource(route) })).tokens,
    after,
    pass: (ms) => {
      passedMs += ms
    },
  }
}

/** Named in a comment, the login keeps startGateway from giving the environment of a file without one. */
const textOf = (doc: Doc) => `# login: below\n${JSON.stringify(doc, null, 2)}\n`

function documentFor(github: Github, open: TestMcpServer, keyed: TestMcpServer): Doc {
  return {
    version: 1,
    server: { port: 0 },
    login: {
      users: {
        [VICTIM.username]: { password_hash: '${VICTIM_HASH}' },
        [ATTACKER.username]: { password_hash: '${ATTACKER_HASH}' },
      },
    },
    routes: {
      github: {
        upstream: { url: github.mcpUrl },
        auth: {
          type: 'authorization_code',
          scope: 'repo read:user',
          authorization_server: {
            authorization_endpoint: github.authorizationEndpoint,
            token_endpoint: github.tokenEndpoint,
            client_id: github.knobs.clientId,
            client_secret: '${GITHUB_SECRET}',
            token_endpoint_auth_method: 'client_secret_post',
          },
        },
      },
      open: { upstream: { url: open.url }, auth: 'none' },
      key: {
        upstream: { url: keyed.url },
        auth: { type: 'api_key', in: 'header', name: 'X-API-Key', value: '${KEY}' },
      },
    },
  }
}

/** The authorization server of the route `github` under a name of its own. */
export function nameServer(doc: Doc): void {
  doc.authorization_servers = { gh: doc.routes.github.auth.authorization_server }
  doc.routes.github.auth.authorization_server = 'gh'
}

async function startSilent({ after }: TestContext): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket.on('error', () => {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** The status of a request that names another host, which fetch would not send. */
export function statusWithHost(url: string, host: string, token: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host, authorization: `Bearer ${token}`, accept: 'text/event-stream' }
    httpRequest(url, { method: 'POST', headers }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
      .on('error', reject)
      .end('{}')
  })
}

/** What the upstream received last. */
export const lastAt = (server: Pick<TestMcpServer, 'recorder'>) => {
  const request = server.recorder.requests.at(-1)
  assert.ok(request, 'the upstream was asked')
  return request
}
