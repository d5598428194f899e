// Does an authorization server begin a sign-in for the gateway, and know it as a client? Signs nobody in.
import { randomBytes } from 'node:crypto'
import { UpstreamError } from '../errors.ts'
import { authorizationUrl, createCodeVerifier } from '../upstream/authorization-code.ts'
import { loggableErrorCode } from '../upstream/error-code.ts'
import type { ControlHttp } from '../upstream/http.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import { adviceOn, checkClient } from './client.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { reasonOf } from './observe.ts'

/** A server, and which scopes it will be asked for. */
export interface Use {
  readonly server: UpstreamServer
  readonly scopes: readonly string[]
}

export async function checkSignIn(scope: string, use: Use, http: ControlHttp): Promise<Finding[]> {
  const { server } = use
  const checks = [checkClient(scope, server, http), checkAuthorizationEndpoint(scope, use, http)]
  const redirect = ok(scope, `the client needs this redirect URI: ${server.redirectUri}`)
  return [redirect, ...(await Promise.all(checks))]
}

/** A server that knows neither client nor redirect URI must not redirect (RFC 6749 §4.1.2.1): it shows an error at once. */
async function checkAuthorizationEndpoint(
  scope: string,
  { server, scopes }: Use,
  http: ControlHttp,
): Promise<Finding> {
  const request = {
    state: randomBytes(16).toString('base64url'),
    codeVerifier: createCodeVerifier(),
    scopes,
    resource: undefined,
  }
  const url = new URL(await authorizationUrl(server, request))
  try {
    const { status, headers } = await http({
      method: 'GET',
      url,
      headers: { accept: 'text/html' },
      trust: server.trust,
    })
    const back = errorSentBack(String(headers.location ?? ''), server.redirectUri)
    if (back !== undefined)
      return fail(
        scope,
        `the authorization endpoint refuses the sign-in (${back})`,
        ADVICE[back] ?? 'Look up this code at the provider.',
      )
    if (status === 400 || status === 404)
      return fail(
        scope,
        `the authorization endpoint refuses client or redirect URI (${status})`,
        `Check client_id, and register ${server.redirectUri} there.`,
      )
    return status < 400
      ? ok(scope, 'the authorization endpoint begins a sign-in')
      : warn(
          scope,
          `the authorization endpoint answers ${status}`,
          'Open it in a browser; it may only refuse programs.',
        )
  } catch (error) {
    const answered = error instanceof UpstreamError && error.fault === 'bad_response'
    if (answered) return ok(scope, 'the authorization endpoint answers')
    return fail(
      scope,
      `the authorization endpoint gave no answer: ${reasonOf(error)}`,
      adviceOn('authorization_endpoint', error instanceof UpstreamError ? error.detail : {}),
    )
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  invalid_scope: 'Check auth.scope: the provider does not know one of its words.',
  unauthorized_client: 'Allow the authorization code grant for this client at the provider.',
}

/** That somebody has to sign in first is what we wanted to hear. */
const WANTED: readonly string[] = ['login_required', 'interaction_required', 'consent_required']

function errorSentBack(location: string, redirectUri: string): string | undefined {
  if (!location.startsWith(redirectUri)) return undefined
  const error = new URL(location).searchParams.get('error')
  return error === null || WANTED.includes(error) ? undefined : loggableErrorCode(error)
}
