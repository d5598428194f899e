// A persona finds its way from the URL that a person entered to the endpoints, by the order and the checks of its own.
import * as assert from 'uvu/assert'
import type { Answer, JsonObject, Send } from './http.ts'
import { hello } from './mcp.ts'
import type { Discovery, Persona, Place } from './persona.ts'

export interface Found {
  readonly issuer: string
  readonly endpoints: Endpoints
  /** The server's own description; undefined when the client never reads one. */
  readonly server: JsonObject | undefined
  /** The resource's document, and what the challenge said. */
  readonly resource: JsonObject | undefined
  readonly challengeScope: string | undefined
}
export interface Endpoints {
  readonly authorization: string
  readonly token: string
  readonly registration: string
  readonly revocation: string | undefined
}

export async function discover(persona: Persona, mcpUrl: string, send: Send): Promise<Found> {
  const { discovery } = persona
  const challenge = readChallenge(await hello(send, mcpUrl, undefined, persona.protocolVersion))
  for (const place of discovery.probes ?? []) await look(send, address(place, mcpUrl, challenge))
  for (const place of discovery.demands ?? []) {
    const found = await look(send, address(place, mcpUrl, challenge))
    assert.ok(found, `${persona.name} needs ${place}`)
  }
  const resource = await first(send, discovery.resource, mcpUrl, challenge)
  if (discovery.resource.length > 0) checkResource(discovery, resource, mcpUrl)
  const { origin } = new URL(mcpUrl)
  const [issuer = origin] = (resource?.authorization_servers ?? []) as string[]
  const server = await first(send, discovery.server, issuer, challenge)
  if (server !== undefined) checkServer(persona, server, issuer)
  return { issuer, server, resource, challengeScope: challenge.scope, endpoints: endpoints(server, origin) }
}

interface Challenge {
  readonly scope: string | undefined
  readonly resourceMetadata: string | undefined
}

/** The regular expressions of the SDKs: whatever they cannot read in the header is not there for them. */
function readChallenge(answer: Answer): Challenge {
  assert.is(answer.status, 401)
  const header = answer.header('www-authenticate') ?? ''
  assert.match(header, /^Bearer /, 'the SDKs read the first word only')
  assert.not.match(header, 'error=', 'RFC 6750 §3.1: nothing was presented, so nothing was wrong')
  const parameter = (name: string) => new RegExp(`${name}="([^"]+)"`).exec(header)?.[1]
  return { scope: parameter('scope'), resourceMetadata: parameter('resource_metadata') }
}

function address(place: Place, base: string, challenge: Challenge): string {
  if (place === 'challenge') return challenge.resourceMetadata ?? ''
  const { origin, pathname } = new URL(base)
  return origin + place.replace('{path}', pathname === '/' ? '' : pathname)
}

/** Every probe is answered in JSON, with 200 or 404: anything else ends the discovery of some client (spec-D12). */
async function look(send: Send, url: string): Promise<JsonObject | undefined> {
  const { status, header, body } = await send(url, { headers: { accept: 'application/json' } })
  assert.ok(status === 200 || status === 404, `${url}: ${status}`)
  assert.match(header('content-type') ?? '', /^application\/json/, url)
  return status === 200 ? body : undefined
}

async function first(send: Send, places: readonly Place[], base: string, challenge: Challenge) {
  for (const place of places) {
    const found = await look(send, address(place, base, challenge))
    if (found !== undefined) return found
  }
  return undefined
}

function checkResource({ resourceMust = 'begin' }: Discovery, found: JsonObject | undefined, mcpUrl: string) {
  const resource = new URL(String(found?.resource)).href
  if (resourceMust === 'equal') assert.is(resource, new URL(mcpUrl).href)
  else assert.ok(new URL(mcpUrl).href.startsWith(resource), `${resource} is a prefix of ${mcpUrl}`)
}

function checkServer({ discovery, identity, authMethod }: Persona, server: JsonObject, issuer: string): void {
  if (discovery.checksIssuer) assert.is(server.issuer, issuer, 'byte for byte')
  assert.ok((server.code_challenge_methods_supported as string[]).includes('S256'))
  assert.is(server.authorization_response_iss_parameter_supported, true)
  if (identity.by !== 'document') return
  // Some clients use their document only where both are offered (spec-C1).
  assert.is(server.client_id_metadata_document_supported, true)
  const methods = server.token_endpoint_auth_methods_supported as string[]
  assert.ok(methods.includes('none') && methods.includes(authMethod), String(methods))
}

/** Without a document: what the revision 2025-03-26 tells clients to assume (spec-D13). */
function endpoints(server: JsonObject | undefined, origin: string): Endpoints {
  if (server === undefined) {
    const [authorization, token, registration] = ['/authorize', '/token', '/register'] as const
    return {
      authorization: origin + authorization,
      token: origin + token,
      registration: origin + registration,
      revocation: undefined,
    }
  }
  return {
    authorization: String(server.authorization_endpoint),
    token: String(server.token_endpoint),
    registration: String(server.registration_endpoint),
    revocation: server.revocation_endpoint as string | undefined,
  }
}
