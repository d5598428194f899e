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

/** `unknown`: it did not answer, or not to this question. */
export type ScopeVerdict = 'refused' | 'taken' | 'unknown'

/** A browser waits for it. */
const LONGEST_MS = 3_000

export async function judgeScopes(
  http: ControlHttp,
  server: UpstreamServer,
  { scopes, resource }: ScopeQuestion,
): Promise<ScopeVerdict> {
  const request = { state: STATE, codeVerifier: createCodeVerifier(), scopes, resource }
  const url = new URL(await authorizationUrl(server, request))
  const { trust, redirectUri } = server
  try {
    const { status, headers } = await http({
      method: 'GET',
      url,
      headers: { accept: 'text/html' },
      trust,
      headOnly: true,
      totalMs: LONGEST_MS,
    })
    const error = errorSentBack(String(headers.location ?? ''), redirectUri)
    if (error === 'invalid_scope') return 'refused'
    return error === undefined && status < 400 ? 'taken' : 'unknown'
  } catch (error) {
    if (error instanceof UpstreamError) return 'unknown'
    throw error
  }
}

function errorSentBack(location: string, redirectUri: string): string | undefined {
  if (!location.startsWith(redirectUri) || !URL.canParse(location)) return undefined
  return new URL(location).searchParams.get('error') ?? undefined
}
