// Registers the gateway at an upstream authorization server (RFC 7591). Sends one request; keeping the answer is for others.
import { UpstreamError } from '../errors.ts'
import type { ServerMetadata } from './discovery.ts'
import type { ControlHttp, Trust } from './http.ts'

export type UpstreamAuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post'

/** What the upstream knows the gateway by. */
export interface UpstreamRegistration {
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly authMethod: UpstreamAuthMethod
}

export interface RegistrationRequest {
  readonly clientName: string
  readonly redirectUri: string
  readonly scope: string | undefined
}

/** In the order we like them: a secret proves more than its absence. */
const PREFERENCE: readonly UpstreamAuthMethod[] = ['client_secret_basic', 'client_secret_post', 'none']

/** The method to use where the operator did not choose one. Absent metadata means client_secret_basic (RFC 8414 §2). */
export function chooseAuthMethod(
  supported: readonly string[] | undefined,
  hasSecret: boolean,
): UpstreamAuthMethod {
  if (!hasSecret) return 'none'
  return (
    PREFERENCE.find((method) => method !== 'none' && (supported?.includes(method) ?? true)) ??
    'client_secret_basic'
  )
}

/** Throws UpstreamError when the server takes no registrations, or not this one. */
export async function registerClient(
  http: ControlHttp,
  server: ServerMetadata,
  trust: Trust,
  request: RegistrationRequest,
): Promise<UpstreamRegistration> {
  const { registrationEndpoint } = server
  if (registrationEndpoint === undefined) {
    throw new UpstreamError(
      'bad_response',
      'the upstream takes no registrations: create a client there and write its client_id into the configuration',
      { issuer: server.issuer },
    )
  }
  const asked = PREFERENCE.find((method) => server.authMethods?.includes(method) ?? true) ?? 'none'
  const answer = await http({
    method: 'POST',
    url: new URL(registrationEndpoint),
    trust,
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: request.clientName,
      redirect_uris: [request.redirectUri],
      application_type: 'web',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: asked,
      ...(request.scope !== undefined && { scope: request.scope }),
    }),
  })
  const registered = answer.status === 201 || answer.status === 200 ? parseObject(answer.body) : undefined
  if (registered === undefined || typeof registered.client_id !== 'string') {
    const unavailable = answer.status === 429 || answer.status >= 500
    throw new UpstreamError(
      unavailable ? 'unavailable' : 'bad_response',
      'the upstream did not register this gateway',
      { issuer: server.issuer, status: answer.status },
    )
  }
  return registrationOf(registered, asked)
}

// What was echoed counts, not what was asked (RFC 7591 §3.2.1); a secret without a method is Basic.
function registrationOf(
  registered: Readonly<Record<string, unknown>>,
  asked: UpstreamAuthMethod,
): UpstreamRegistration {
  const { client_id: clientId, client_secret: secret, token_endpoint_auth_method: echoed } = registered
  const clientSecret = typeof secret === 'string' && secret !== '' ? secret : undefined
  const method = PREFERENCE.find((known) => known === echoed) ?? asked
  const authMethod = clientSecret === undefined ? 'none' : method === 'none' ? 'client_secret_basic' : method
  return { clientId: String(clientId), clientSecret, authMethod }
}

function parseObject(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
