// A gateway with machine clients: two open servers, one behind a shared key, one that needs each person's own account.
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import * as assert from 'uvu/assert'
import { basic, callMcp, callTool, type Form, postForm } from '../security/client.ts'
import { PASSWORD_HASHES, TWO_USERS } from '../security/world.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Github, startGithub } from '../support/github.ts'
import { startMcpServer, type TestMcpServer } from '../support/mcp-server.ts'
import type { TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute, openRoute } from '../support/yaml.ts'

export const SECRET = 'batch-secret'
export const OTHER_SECRET = 'other-secret'
const KEY = { in: 'header', name: 'X-API-Key', value: 'shared-key' } as const

export interface MachineWorld {
  readonly gateway: TestGateway
  readonly url: string
  readonly open: TestMcpServer
  readonly second: TestMcpServer
  readonly keyed: TestMcpServer
  readonly github: Github
  /** The private key of the client `signer`. */
  readonly key: SigningKey
  yaml(changes?: YamlChanges): string
  /** Saves the file and has it taken over. */
  edit(changes: YamlChanges): Promise<void>
}

export interface SigningKey {
  readonly private: CryptoKey
  readonly privateJwk: JWK
  readonly public: JWK
}

export interface YamlChanges {
  /** The entries of `clients.static`. */
  readonly clients?: string
  /** Lines of the route `open`. */
  readonly open?: string
  readonly routes?: readonly string[]
  /** Further members of `clients`. */
  readonly rules?: string
  /** Further sections. */
  readonly more?: string
}

export async function makeKey(): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  return {
    private: privateKey,
    privateJwk: { ...(await exportJWK(privateKey)), kid: 'one' },
    public: { ...(await exportJWK(publicKey)), kid: 'one' },
  }
}

export const CLIENTS = (key: SigningKey) => `
    batch: { client_secret: "\${BATCH_SECRET}", grant_types: [client_credentials] }
    other: { client_secret: "\${OTHER_SECRET}", grant_types: [client_credentials] }
    both:
      client_secret: "\${BATCH_SECRET}"
      grant_types: [authorization_code, client_credentials]
      redirect_uris: ["https://both.test/cb"]
    person: { client_secret: "\${BATCH_SECRET}", redirect_uris: ["https://person.test/cb"] }
    public: { redirect_uris: ["https://public.test/cb"] }
    auditor: { client_secret: "\${BATCH_SECRET}", introspect: true }
    signer: { grant_types: [client_credentials], jwks: { keys: [${JSON.stringify(key.public)}] } }
`

export async function startMachineWorld(
  { after }: TestContext,
  changes: YamlChanges = {},
  now?: () => number,
): Promise<MachineWorld> {
  const [open, second, keyed, github, key] = await Promise.all([
    startMcpServer(),
    startMcpServer(),
    startMcpServer({ key: KEY }),
    startGithub(),
    makeKey(),
  ])
  for (const server of [open, second, keyed, github]) after(() => server.close())
  const keyedRoute = `
  keyed:
    upstream: ${keyed.url}
    auth: { type: api_key, in: ${KEY.in}, name: ${KEY.name}, value: "\${KEY}" }
`
  const yaml = ({
    clients = CLIENTS(key),
    open: own = '',
    routes,
    rules = '',
    more = '',
  }: YamlChanges = {}) =>
    `${document(
      openRoute('open', open, own),
      ...(routes ?? [openRoute('second', second), keyedRoute, githubRoute('github', github)]),
    )}${TWO_USERS}
clients:
${rules}  static:${clients}${more}`
  const gateway = await startGateway({
    yaml: yaml(changes),
    env: {
      ...githubEnv(github),
      ...PASSWORD_HASHES,
      BATCH_SECRET: SECRET,
      OTHER_SECRET,
      KEY: KEY.value,
    },
    ...(now && { now }),
  })
  after(() => gateway.close())
  return {
    gateway,
    url: gateway.url,
    open,
    second,
    keyed,
    github,
    key,
    yaml,
    async edit(edited) {
      await gateway.write(yaml(edited))
      const outcome = await gateway.follower.reload()
      if (outcome.kind !== 'applied') throw new Error(`${outcome.kind}: ${JSON.stringify(outcome)}`)
    },
  }
}

/** POST /token as a machine with a secret; `undefined` leaves a parameter out. */
export function machineToken({ url }: Pick<MachineWorld, 'url'>, form: Form, id = 'batch', secret = SECRET) {
  return postForm(
    `${url}/token`,
    { grant_type: 'client_credentials', ...form },
    { authorization: basic(id, secret) },
  )
}

export async function tokenFor(world: MachineWorld, route: string, id = 'batch', secret = SECRET) {
  const answer = await machineToken(world, { resource: `${world.url}/${route}` }, id, secret)
  assert.is(answer.status, 200, answer.text)
  return String(answer.body.access_token)
}

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** A client assertion of `signer`, as RFC 7523 §2.2 wants it. */
export function clientAssertion({ url, key }: MachineWorld, id = 'signer'): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({ jti: crypto.randomUUID() })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer(id)
    .setSubject(id)
    .setAudience(url)
    .setIssuedAt(now)
    .setExpirationTime(now + 60)
    .sign(key.private)
}

export const sumOnRoute = (world: MachineWorld, route: string, token: string) =>
  callTool(`${world.url}/${route}`, token, 'add', { a: 2, b: 3 })

export const statusOnRoute = async (world: MachineWorld, route: string, token: string) =>
  (await callMcp(`${world.url}/${route}`, token)).status

/** How often an upstream was asked for anything, all of them together. */
export const upstreamRequests = ({ open, second, keyed, github }: MachineWorld) =>
  [open, second, keyed, github].reduce((sum, { recorder }) => sum + recorder.count(), 0)
