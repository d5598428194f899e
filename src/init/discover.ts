// A live MCP server as the part of a new configuration: asks it as the gateway would, and writes what that takes, with the reason.
import { loadPreset, presetNames } from '../config/presets/preset.ts'
import { UpstreamError } from '../errors.ts'
import { printable } from '../printable.ts'
import { jsonObject } from '../upstream/control-answer.ts'
import { discoverResource, discoverServer, type ProtectedResource } from '../upstream/discovery.ts'
import { type ControlHttp, controlHttp, type Trust } from '../upstream/http.ts'
import { knock } from '../upstream/probe.ts'
import type { ServerMetadata } from '../upstream/server-metadata.ts'
import { isWebAddress, serverMetadataUrls } from '../upstream/well-known.ts'
import { callbackOf, comment, literal, type Section, variablePrefix } from './section.ts'

/** Throws UpstreamError when the server cannot be reached at all. */
export async function discoverSection(
  upstream: URL,
  taken: readonly string[],
  http: ControlHttp = controlHttp,
): Promise<Section> {
  const route = routeName(upstream, taken)
  const found = await look(http, upstream)
  const known = presetNames()
    .map(loadPreset)
    .find((preset) => preset?.upstream === upstream.href)
  const hint = known && `There is a preset for this server too: mcp-oauth-gateway init --preset ${known.name}`
  const { notes, auth, steps } = describe(found, route)
  return {
    route,
    title: upstream.host,
    lines: [
      `${route}:`,
      ...[...notes, ...(hint ? [hint] : [])].flatMap((text) => comment(text)).map((line) => `  ${line}`),
      `  upstream: ${literal(upstream.href)}`,
      ...auth.map((line) => `  ${line}`),
    ],
    steps,
  }
}

type Found =
  | { readonly kind: 'open' }
  | { readonly kind: 'complete'; readonly resource: ProtectedResource; readonly server: ServerMetadata }
  | {
      readonly kind: 'unusable'
      readonly why: string
      readonly resource: ProtectedResource
      readonly endpoints: Endpoints | undefined
    }
  | { readonly kind: 'silent'; readonly why: string }

interface Endpoints {
  readonly authorization: string
  readonly token: string
}

async function look(http: ControlHttp, upstream: URL): Promise<Found> {
  if (await isOpen(http, upstream)) return { kind: 'open' }
  let resource: ProtectedResource
  try {
    resource = await discoverResource(http, upstream)
  } catch (error) {
    return { kind: 'silent', why: whyNot(error) }
  }
  const { issuer } = resource
  const trust: Trust =
    URL.canParse(issuer) && new URL(issuer).origin === upstream.origin
      ? 'configured'
      : { derivedFrom: upstream.hostname }
  try {
    return { kind: 'complete', resource, server: await discoverServer(http, issuer, trust) }
  } catch (error) {
    const endpoints = await readEndpoints(http, issuer, trust)
    return endpoints === undefined && resource.issuer === upstream.origin
      ? { kind: 'silent', why: whyNot(error) }
      : { kind: 'unusable', why: whyNot(error), resource, endpoints }
  }
}

async function isOpen(http: ControlHttp, upstream: URL): Promise<boolean> {
  const answer = await knock(http, upstream)
  if (![200, 202, 401, 403].includes(answer.status)) {
    throw new UpstreamError(
      'bad_response',
      `${upstream.origin} answered ${answer.status}: is that the URL of the MCP server?`,
    )
  }
  return answer.status < 300
}

/** What metadata that the gateway refuses says nevertheless: a person can judge it and write it down. */
async function readEndpoints(
  http: ControlHttp,
  issuer: string,
  trust: Trust,
): Promise<Endpoints | undefined> {
  for (const url of isWebAddress(issuer) ? serverMetadataUrls(new URL(issuer)) : []) {
    try {
      const answer = await http({ method: 'GET', url, headers: { accept: 'application/json' }, trust })
      const { authorization_endpoint: authorization, token_endpoint: token } = jsonObject(answer.body) ?? {}
      if (isUrl(authorization) && isUrl(token)) return { authorization, token }
    } catch {
      // The next address may have it.
    }
  }
  return undefined
}

interface Description {
  readonly notes: readonly string[]
  readonly auth: readonly string[]
  readonly steps: readonly string[]
}

function describe(found: Found, route: string): Description {
  const prefix = variablePrefix(route)
  switch (found.kind) {
    case 'open':
      return { notes: ['It answered without a token.'], auth: ['auth: none'], steps: [] }
    case 'silent':
      return {
        notes: [
          `It wants a token and does not say from where (${found.why}). If it takes a key, this is it; else write authorization_server with the endpoints.`,
        ],
        auth: ['auth:', '  type: api_key', `  value: Bearer \${${prefix}_API_KEY}`],
        steps: ['Get an API key for it'],
      }
    case 'unusable':
      return unusable(found, route, prefix)
    case 'complete':
      return complete(found, route, prefix)
  }
}

function complete(
  { resource, server }: Extract<Found, { kind: 'complete' }>,
  route: string,
  prefix: string,
): Description {
  const asks = resource.scope === undefined ? [] : [`It asks for the scope: ${resource.scope}`]
  const where = `It points to ${server.issuer}, which supports PKCE`
  if (server.registrationEndpoint !== undefined) {
    return {
      notes: [`${where} and registers the gateway by itself (RFC 7591): the URL is all it takes.`, ...asks],
      auth: [],
      steps: [],
    }
  }
  if (server.clientDocuments === true) {
    return {
      notes: [
        `${where} and takes client metadata documents: the URL is all it takes once server.public_url is an https address that it can reach.`,
        ...asks,
      ],
      auth: [],
      steps: ['Give the gateway a public https address: server.public_url'],
    }
  }
  return {
    notes: [
      `${where} but registers no clients: create one there with the redirect URI ${callbackOf(route)}`,
      ...asks,
    ],
    auth: [
      'auth:',
      '  type: authorization_code',
      '  authorization_server:',
      `    issuer: ${literal(server.issuer)}`,
      ...clientLines(prefix),
    ],
    steps: [clientStep(route, server.issuer)],
  }
}

function unusable(
  { why, resource, endpoints }: Extract<Found, { kind: 'unusable' }>,
  route: string,
  prefix: string,
): Description {
  const from = endpoints
    ? [
        `    authorization_endpoint: ${literal(endpoints.authorization)}`,
        `    token_endpoint: ${literal(endpoints.token)}`,
      ]
    : [
        `    authorization_endpoint: \${${prefix}_AUTHORIZATION_ENDPOINT}`,
        `    token_endpoint: \${${prefix}_TOKEN_ENDPOINT}`,
      ]
  return {
    notes: [
      `It points to ${resource.issuer}, but: ${why}. So its endpoints are written down here; check that they are its own, and that it supports PKCE.`,
      `Create a client there with the redirect URI ${callbackOf(route)}`,
      ...(resource.scope === undefined ? [] : [`It asks for the scope: ${resource.scope}`]),
    ],
    auth: ['auth:', '  type: authorization_code', '  authorization_server:', ...from, ...clientLines(prefix)],
    steps: [clientStep(route, resource.issuer)],
  }
}

const clientLines = (prefix: string) => [
  `    client_id: \${${prefix}_CLIENT_ID}`,
  `    client_secret: \${${prefix}_CLIENT_SECRET}`,
]
const clientStep = (route: string, issuer: string) =>
  `Create a client at ${printable(issuer)}, with the redirect URI ${callbackOf(route)}`

/** `https://mcp.linear.app/mcp` → `linear`; an address or a bare host name says nothing. */
export function routeName({ hostname }: URL, taken: readonly string[]): string {
  const labels = /^[\d.[\]:]+$/.test(hostname) ? [] : hostname.split('.').slice(0, -1)
  const telling =
    labels.filter((label) => !['mcp', 'api', 'www', 'co', 'com'].includes(label)).at(-1) ?? 'mcp'
  const base = /^[a-z0-9][a-z0-9_-]{0,59}$/.test(telling) ? telling : 'mcp'
  const free = (name: string) => !taken.includes(name)
  return [base, ...Array.from({ length: 99 }, (_, index) => `${base}-${index + 2}`)].find(free) ?? base
}

function isUrl(value: unknown): value is string {
  return typeof value === 'string' && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
}

/** Throws what is no answer of the server's. */
function whyNot(error: unknown): string {
  if (!(error instanceof UpstreamError)) throw error
  return error.message.replace('the upstream cannot be used: ', '').split(';')[0] ?? ''
}
