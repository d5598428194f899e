// A gateway before an upstream that has to be discovered, and somebody who signs in through both.
import { request as httpRequest } from 'node:http'
import type { Subject, UpstreamLink } from '../../src/slots.ts'
import { Client, callTool, tokensOf } from '../security/client.ts'
import { newBrowser } from '../security/world.ts'
import type { Browser } from '../support/browser.ts'
import {
  clientOf,
  type DiscoveryUpstream,
  SERVER,
  startDiscoveryUpstream,
} from '../support/discovery-upstream.ts'
import { startGateway, type TestGateway, USER } from '../support/gateway.ts'
import { signIn } from '../support/person.ts'
import type { TestContext } from '../support/suite.ts'
import { document } from '../support/yaml.ts'

export async function discoverable(
  { after }: TestContext,
  tokens?: Map<string, string>,
): Promise<DiscoveryUpstream> {
  const upstream = await startDiscoveryUpstream({ ...(tokens && { tokens }) })
  after(() => upstream.close())
  return upstream
}

/** A URL is a whole route. `auth` lays the details over it. */
export const route = ({ mcpUrl }: DiscoveryUpstream, auth = '{ type: authorization_code }') =>
  document(`\n  demo: { upstream: ${mcpUrl}, auth: ${auth} }\n`)

export async function gatewayFor(
  { after }: TestContext,
  yaml: string,
  env = {},
  now: () => number = Date.now,
): Promise<TestGateway> {
  const gateway = await startGateway({ yaml, env, now })
  after(() => gateway.close())
  return gateway
}

/** How a sign-in ends at the client: with a token that works, or with an error. */
export async function attempt(url: string, browser: Browser = newBrowser()) {
  const client = await Client.register(url)
  const trip = client.trip()
  const { callback } = await signIn(browser, trip.url, USER)
  const code = callback.searchParams.get('code')
  if (code === null) {
    const { error, error_description: description } = Object.fromEntries(callback.searchParams)
    return { error, description }
  }
  const { access } = tokensOf(await client.redeem(code, trip.verifier))
  return { issuer: await callTool(`${url}/demo`, access, 'whoami'), access }
}

export async function succeeds(url: string): Promise<{ issuer: string; access: string }> {
  const { issuer, access, error, description } = await attempt(url)
  if (issuer === undefined || access === undefined) throw new Error(`${error}: ${description}`)
  return { issuer, access }
}

/** Screen 2 by itself, whatever is connected: what the browser is sent with, and what becomes of the code that it brings back. */
export async function connect(gateway: TestGateway): Promise<URLSearchParams> {
  const link = linkOf(gateway)
  const subject = 'users/gateway_user' as Subject
  const { location, pending } = await link.begin(subject, 'a-state', { requested: [], relink: true })
  await link.finish(subject, pending, new URLSearchParams({ code: 'a-code', state: 'a-state' }))
  return new URL(location).searchParams
}

export function linkOf(gateway: TestGateway): UpstreamLink {
  const link = gateway.app.current().routes.get('demo')?.auth.link
  if (link === undefined) throw new Error('nobody signs in for this route')
  return link
}

/** What the upstream has of everybody who came: at /authorize and, by its method, at /token. */
export const clientsAt = ({ recorder }: DiscoveryUpstream, path: '/authorize' | 'POST /token') =>
  recorder
    .to(path)
    .map((request) =>
      path === '/authorize' ? request.query.get('client_id') : clientOf(request, request.form),
    )

export const registrations = ({ recorder }: DiscoveryUpstream) =>
  recorder.to('POST /register').map(({ body }) => JSON.parse(body) as Record<string, unknown>)

/** The server says so of itself, besides what it says anyway. */
export function publish(upstream: DiscoveryUpstream, change: Record<string, unknown>): void {
  upstream.knobs.documents[SERVER] = upstream.serverDocument(change)
}

/** A gateway that people know as https://gw.test, as behind a proxy. */
export const publicly = (yaml: string) =>
  yaml.replace('server: {', 'server: { public_url: "https://gw.test",')

/** What the gateway publishes, as the proxy before it would fetch it. */
export function published(gateway: TestGateway, path: string): Promise<{ status: number; body: string }> {
  const { port } = gateway.app
  return new Promise((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port, path, headers: { host: 'gw.test' } }, async (response) => {
      const body = (await response.toArray()).join('')
      resolve({ status: response.statusCode ?? 0, body })
    })
      .on('error', reject)
      .end()
  })
}
