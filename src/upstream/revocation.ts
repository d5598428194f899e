// Takes tokens back at an upstream (RFC 7009): the refresh token first, since the access token often falls with it.
import * as oauth from 'oauth4webapi'
import { UpstreamError } from '../errors.ts'
import type { ControlHttp } from './http.ts'
import type { UpstreamServer, UpstreamTokens } from './server.ts'
import { clientAuth, parties } from './token-endpoint.ts'

const REVOKE_MS = 5_000

/** Throws UpstreamError when one of them may live on; the other is tried all the same. */
export async function revokeTokens(
  http: ControlHttp,
  server: UpstreamServer,
  { refreshToken, accessToken }: Pick<UpstreamTokens, 'refreshToken' | 'accessToken'>,
): Promise<void> {
  const { revocation } = server
  if (revocation === undefined) return
  const failures: unknown[] = []
  const revoke = (token: string, hint: string) =>
    revokeOne(http, server, revocation, token, hint).catch((error: unknown) => failures.push(error))
  if (refreshToken !== undefined) await revoke(refreshToken, 'refresh_token')
  await revoke(accessToken, 'access_token')
  if (failures.length > 0) throw failures[0]
}

async function revokeOne(
  http: ControlHttp,
  server: UpstreamServer,
  { endpoint, trust }: NonNullable<UpstreamServer['revocation']>,
  token: string,
  hint: string,
): Promise<void> {
  const { as, client } = parties(server)
  await oauth.revocationRequest({ ...as, revocation_endpoint: endpoint }, client, clientAuth(server), token, {
    additionalParameters: { token_type_hint: hint },
    [oauth.allowInsecureRequests]: endpoint.startsWith('http:'),
    [oauth.customFetch]: async (url, { headers, body }) => {
      const answer = await http({
        method: 'POST',
        url: new URL(url),
        trust,
        headers: Object.fromEntries(new Headers(headers)),
        body: String(body ?? ''),
        totalMs: REVOKE_MS,
      })
      if (answer.status === 200) return new Response()
      throw new UpstreamError('bad_response', 'the upstream did not take a token back', {
        token: hint,
        status: answer.status,
      })
    },
  })
}
