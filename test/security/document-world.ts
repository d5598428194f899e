// A client whose id is the URL of a document, the web site that serves it, and a gateway that may fetch from there.
import * as assert from 'uvu/assert'
import { type ClientHost, startClientHost } from '../support/client-host.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { signIn } from '../support/person.ts'
import type { TestContext } from '../support/suite.ts'
import { document, openRoute } from '../support/yaml.ts'
import { Client, callTool, tokensOf } from './client.ts'
import { newBrowser } from './world.ts'

export const REDIRECT = 'http://127.0.0.1:49200/cb'

/** `cimd` continues the settings of `clients.cimd`. */
export async function documentWorld({ after }: TestContext, cimd = '', now?: () => number) {
  const host = await startClientHost(REDIRECT)
  after(() => host.close())
  const upstream = await startMcpServer()
  after(() => upstream.close())
  const rules = `clients: { cimd: { allow_private_hosts: [127.0.0.1]${cimd} } }\n`
  const gateway = await startGateway({
    // Thousands of requests: on a slow disk their records would take longer than what is looked at.
    yaml: `${rules}store: { type: memory }\n${document(openRoute('open', upstream))}`,
    ...(now && { now }),
  })
  after(() => gateway.close())
  const client = documentClient(gateway.url, host)
  return { host, upstream, gateway, client, url: gateway.url }
}

export const documentClient = (url: string, host: ClientHost, overrides: Record<string, unknown> = {}) =>
  new Client(url, {
    client_id: host.id,
    token_endpoint_auth_method: 'none',
    redirect_uris: [REDIRECT],
    ...overrides,
  })

export async function documentCode(client: Client) {
  const browser = newBrowser(REDIRECT)
  const trip = client.trip()
  const { callback, pages } = await signIn(browser, trip.url, USER)
  return { code: callback.searchParams.get('code') ?? '', verifier: trip.verifier, pages }
}

/** The client signs in and calls a tool: no attack may have broken it. */
export async function documentClientWorks(client: Client, url: string): Promise<void> {
  const { code, verifier } = await documentCode(client)
  const { access } = tokensOf(await client.redeem(code, verifier))
  assert.match(await callTool(`${url}/open`, access, 'add', { a: 2, b: 3 }), '5')
}
