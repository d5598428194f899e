// May this client ask an authorization server for these scopes? Asked as a browser would, with a sign-in that nobody goes on
// with: a server that keeps clients to what they registered for sends it back at once (RFC 6749 §4.1.2.1).
import { UpstreamError } from '../errors.ts'
import { authorizationUrl, createCodeVerifier } from './authorization-code.ts'
import type { ControlHttp } from './http.ts'
import type { UpstreamServer } from './server.ts'

export interface ScopeQuestion {
  readonly scopes: readonly string[]
  readonly resource: string | undefined
}

const STATE = 'scopes'

/** True only when the server says so: one that is down, or shows a page first, has refused nothing. */
export async function refusesScopes(
  http: ControlHttp,
  server: UpstreamServer,
  { scopes, resource }: ScopeQuestion,
): Promise<boolean> {
  const request = { state: STATE, codeVerifier: createCodeVerifier(), scopes, resource }
  const url = new URL(await authorizationUrl(server, request))
  const { trust, redirectUri } = server
  try {
    const { headers } = await http({
      method: 'GET',
      url,
      headers: { accept: 'text/html' },
      trust,
      headOnly: true,
    })
    return errorSentBack(String(headers.location ?? ''), redirectUri) === 'invalid_scope'
  } catch (error) {
    if (error instanceof UpstreamError) return false
    throw error
  }
}

function errorSentBack(location: string, redirectUri: string): string | undefined {
  if (!location.startsWith(redirectUri) || !URL.canParse(location)) return undefined
  return new URL(location).searchParams.get('error') ?? undefined
}
