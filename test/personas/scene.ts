// Where all personas meet: one gateway with two routes, to a GitHub look-alike by endpoints that the configuration names,
// and to a server that is discovered; a person of their own for each, a clock, and a host for clients' documents.
import { PASSWORD_HASHES, VICTIM } from '../security/world.ts'
import { type ClientHost, startClientHost } from '../support/client-host.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Github, startGithub } from '../support/github.ts'
import { startOidc } from '../support/oidc.ts'
import type { Person } from '../support/person.ts'
import type { Recorder } from '../support/recorder.ts'
import { document, githubEnv, githubRoute } from '../support/yaml.ts'
import type { Persona } from './persona.ts'

export interface Route {
  readonly name: string
  readonly url: string
  /** Where its people sign in. */
  readonly upstream: string
  readonly recorder: Recorder
}
export interface Scene {
  readonly gateway: TestGateway
  readonly host: ClientHost
  readonly routes: readonly Route[]
  route(name: string): Route
  now(): number
  advance(seconds: number): void
  /** Somebody who was never here before: with a link of before, nobody would be sent to the upstream. */
  newPerson(): Person & { readonly upstreamName: string }
  close(): Promise<void>
}

export async function startScene(personas: readonly Persona[], people: number): Promise<Scene> {
  const [github, oidc, host] = await Promise.all([
    startGithub({ page: true }),
    startOidc(),
    startClientHost(),
  ])
  const names = Array.from({ length: people }, (_, at) => `user-${at}`)
  let offsetMs = 0
  const now = () => Date.now() + offsetMs
  const closeOthers = () => Promise.all([github.close(), oidc.close(), host.close()])
  const gateway = await startGateway({
    yaml: configuration(github, oidc.mcpUrl, names, personas),
    env: { ...githubEnv(github), ...PASSWORD_HASHES, CLIENT_SECRET },
    now,
  }).catch(async (error: unknown) => {
    await closeOthers()
    throw error
  })
  const routes = [
    { name: 'github', url: `${gateway.url}/github`, upstream: github.origin, recorder: github.recorder },
    { name: 'demo', url: `${gateway.url}/demo`, upstream: oidc.issuer, recorder: oidc.recorder },
  ]
  return {
    gateway,
    host,
    routes,
    route: (name) => oneOf(routes, name),
    now,
    advance: (seconds) => {
      offsetMs += seconds * 1000
    },
    newPerson: () => personOf(names.shift()),
    close: async () => {
      await gateway.close()
      await closeOthers()
    },
  }
}

function oneOf(routes: readonly Route[], name: string): Route {
  const found = routes.find((route) => route.name === name)
  if (found === undefined) throw new Error(`there is no route ${name}`)
  return found
}

function personOf(username: string | undefined) {
  if (username === undefined) throw new Error('more people than were asked for')
  return { username, password: VICTIM.password, upstreamName: `${username}-there` }
}

export const CLIENT_SECRET = 'entered-by-a-person-0123456789-abcdef'

function configuration(
  github: Github,
  mcpUrl: string,
  names: readonly string[],
  personas: readonly Persona[],
): string {
  const known = personas.flatMap(({ identity, redirectUri }) => {
    if (identity.by !== 'configuration') return []
    const secret = identity.secret === undefined ? '' : 'client_secret: "${CLIENT_SECRET}", '
    return [`    ${identity.clientId}: { ${secret}redirect_uris: ["${redirectUri}"] }`]
  })
  return `${document(githubRoute('github', github), `\n  demo: { upstream: ${mcpUrl} }\n`)}
login:
  users:
${names.map((name) => `    ${name}: { password_hash: "\${VICTIM_HASH}" }`).join('\n')}
clients:
  cimd: { allow_private_hosts: [127.0.0.1] }
${known.length === 0 ? '' : `  static:\n${known.join('\n')}\n`}`
}
