// A company's identity provider: its ID-JAGs about one person, as a test wants them, and the exchange by which real
// clients get theirs.
import { listen, readForm } from '../support/http.ts'
import { type Recorder, record } from '../support/recorder.ts'
import { type Claims, newSigningKey, startTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts'

export interface IdentityProvider extends TokenIssuer {
  /** Where an ID token becomes an ID-JAG (RFC 8693). */
  readonly exchange: { readonly url: string; readonly recorder: Recorder }
  /** An ID-JAG with these claims over good ones; `undefined` leaves one out. */
  assertion(claims: Claims, header?: Claims): Promise<string>
  /** The same, signed with another key under the same name. */
  forged(claims: Claims, header?: Claims): Promise<string>
}

/** Who signed in there. */
export const PERSON = { sub: 'u-1', email: 'dora@example.com', email_verified: true, groups: ['staff'] }

export async function startIdentityProvider(now?: () => number): Promise<IdentityProvider> {
  const issuer = await startTokenIssuer(now && { now })
  const alien = await newSigningKey(issuer.key.kid)
  const signedBy =
    (key = issuer.key): IdentityProvider['assertion'] =>
    ({ aud, ...claims }, header) =>
      issuer.token('', { ...PERSON, aud, ...claims }, { key, header: { typ: 'oauth-id-jag+jwt', ...header } })
  const assertion = signedBy()

  const exchange = await listen(async (request, response) => {
    const form = await readForm(request)
    const [audience, resource, clientId, scope] = ['audience', 'resource', 'client_id', 'scope'].map(
      (name) => form.get(name) ?? undefined,
    )
    response.writeHead(200, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        issued_token_type: form.get('requested_token_type'),
        access_token: await assertion({ aud: audience, resource, client_id: clientId, scope }),
        token_type: 'N_A',
        expires_in: 300,
      }),
    )
  })
  return {
    ...issuer,
    exchange: { url: `${exchange.origin}/token`, recorder: record(exchange.server) },
    assertion,
    forged: signedBy(alien),
    close: async () => {
      await Promise.all([issuer.close(), exchange.close()])
    },
  }
}
