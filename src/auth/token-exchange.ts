// Auth type `token_exchange`: a token that names the caller is exchanged for one that the upstream takes (RFC 8693), or,
// with an identity provider, for an ID-JAG that the upstream's authorization server takes (RFC 7523).
import type { TokenExchangeAuth } from '../config/types.ts'
import { OAuthError } from '../errors.ts'
import { hashToken } from '../oauth/tokens.ts'
import type { Caller, UpstreamAuth } from '../slots.ts'
import type { UpstreamServer, UpstreamTokens } from '../upstream/server.ts'
import {
  bearerOf,
  type Declined,
  exchange,
  refusedForGood,
  type TokenType,
} from '../upstream/service-tokens.ts'
import { bearer, bearerIn } from './bearer.ts'
import type { AuthContext } from './context.ts'
import type { Destination } from './destination.ts'
import type { Place } from './held-tokens.ts'
import { type ServiceSource, serviceSource } from './service-source.ts'
import { subjectToken } from './subject-token.ts'

export function tokenExchange(entry: TokenExchangeAuth, context: AuthContext): UpstreamAuth {
  const { heldTokens, http, now, log } = context.deps
  const { identity_provider: provider, audience } = entry
  checkLocated(entry, context)
  const source = serviceSource(entry, provider === undefined ? 'token_exchange' : 'jwt_bearer', context)
  const idp = provider === undefined ? undefined : providerSource(provider, context)
  const subject = subjectToken(entry, context)

  /** Everything that the token depends on is in the key: who brings other claims, or another token, gets another one. */
  async function placeOf(caller: Caller, destination: Destination): Promise<Place> {
    const at = await idp?.destination()
    const parts = [
      source.fingerprint(destination),
      at && idp?.fingerprint(at),
      audience,
      subject.identity(caller),
    ]
    return {
      key: `token_exchange/${hashToken(JSON.stringify(parts))}`,
      subject: subject.isShared ? undefined : caller.subject,
      usedUntilMs: subject.endsAtMs(caller),
    }
  }

  async function exchangeAt(
    server: UpstreamServer,
    caller: Caller,
    { scopes, resource }: Destination,
    wanted: { readonly type: TokenType; readonly audience: string | undefined },
  ): Promise<UpstreamTokens> {
    const presented = await subject.token(caller, identifierOf(server))
    return admitted(
      caller,
      await exchange(
        { http, server, nowMs: now() },
        {
          subjectToken: presented,
          subjectTokenType: subject.type,
          requestedTokenType: wanted.type,
          audience: wanted.audience,
          scopes,
          resource,
        },
      ),
    )
  }

  async function obtain(caller: Caller, destination: Destination): Promise<UpstreamTokens> {
    if (idp === undefined)
      return source.request(destination, (at) =>
        exchangeAt(at.server, caller, at, { type: 'access_token', audience }),
      )
    const idJag = await idp.request(await idp.destination(), (at) =>
      exchangeAt(at.server, caller, destination, {
        type: 'id-jag',
        audience: audience ?? identifierOf(destination.server),
      }),
    )
    return source.request(destination, async ({ server }) =>
      admitted(caller, await bearerOf({ http, server, nowMs: now() }, idJag.accessToken)),
    )
  }

  function admitted(caller: Caller, answer: UpstreamTokens | Declined): UpstreamTokens {
    if (!('declined' in answer)) return answer
    const { declined } = answer
    if (subject.isShared) throw refusedForGood(declined)
    const { route } = context
    // The same words may be meant for the gateway: nobody gets in where its keys are not trusted.
    log.warn('the upstream gives a caller no token: it does not know them, or not who signed for them', {
      route,
      subject: caller.subject,
      ...declined,
    })
    throw new OAuthError('access_denied', 'the upstream does not let this account in', {
      route,
      reason: 'exchange_declined',
      ...declined,
    })
  }

  return {
    clientDocuments: [...source.clientDocuments, ...(idp?.clientDocuments ?? [])],

    async attach(caller) {
      const destination = await source.destination()
      const place = await placeOf(caller, destination)
      const token = await heldTokens.get(place, () => obtain(caller, destination))
      return bearer(token)
    },

    async rejected(caller, sent, time) {
      const refused = bearerIn(sent)
      if (time === 2 || refused === undefined) return false
      return heldTokens.refused(await placeOf(caller, await source.destination()), refused)
    },
  }
}

function providerSource(
  provider: NonNullable<TokenExchangeAuth['identity_provider']>,
  context: AuthContext,
): ServiceSource {
  const server: AuthContext['server'] = (reference) => context.server(reference, 'identity_provider')
  return serviceSource({ authorization_server: provider }, 'token_exchange', { ...context, server })
}

/** Discovery would ask the upstream where to, and what names the caller would go there. The configuration's rules say it to people. */
function checkLocated({ authorization_server: reference }: TokenExchangeAuth, context: AuthContext): void {
  const { issuer, token_endpoint: endpoint, client_id: client } = context.server(reference).entry ?? {}
  if (issuer === undefined && (endpoint === undefined || client === undefined))
    throw new Error(`${context.route}: the upstream would say who gets what names the caller`)
}

/** What a token for this server has as its `aud`. */
function identifierOf({ issuer, tokenEndpoint }: UpstreamServer): string {
  return issuer ?? tokenEndpoint
}
