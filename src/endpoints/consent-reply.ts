// Screen 1 as a reply: what the consent page says about a transaction.
import type { Gateway, Route } from '../gateway.ts'
import { type ConsentView, consentPage } from '../pages/consent.ts'
import { PAGE_HEADERS } from '../pages/layout.ts'
import { htmlReply, type Reply } from '../reply.ts'
import { csrfToken } from './browser-binding.ts'
import { listDigest, scopesAtStake } from './consented-scopes.ts'
import type { Deps } from './endpoint.ts'
import type { SignedIn } from './sessions.ts'
import { type BoundTransaction, sealForm } from './transactions.ts'

export interface ConsentState {
  readonly bound: BoundTransaction
  readonly route: Route
  readonly session: SignedIn | undefined
  readonly cookies: readonly string[]
  readonly status?: number
  readonly error?: string
  readonly username?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

/** A yes is worth what was read before it (spec-H2). */
export const OTHER_LIST = 'The list of scopes is not the one that you saw before. Look at it again.'

export async function consentReply(gateway: Gateway, deps: Deps, state: ConsentState): Promise<Reply> {
  const { bound, route, session, status = 200, cookies, headers } = state
  const { transaction } = bound
  const { link } = route.auth
  const scopes = await scopesAtStake(route, session?.subject, transaction.scopes)
  const html = consentPage({
    brand: gateway.brand,
    clientName: transaction.clientName,
    clientHost: transaction.clientHost,
    redirectUri: transaction.redirectUri,
    route: { title: route.title, description: route.description, resource: route.resource },
    upstream: {
      host: route.upstream.url.host,
      asksForAccount: link !== undefined && link.keyForm === undefined,
      asksForKey: link?.keyForm !== undefined,
      account: session && (await link?.account?.(session.subject)),
      scopes,
    },
    transaction: sealForm(transaction, gateway, deps),
    scopesDigest: listDigest(scopes),
    csrf: csrfToken(bound, session?.subject),
    user: visitor(gateway, session),
    error: state.error,
    username: state.username,
  })
  return htmlReply(status, html, { ...PAGE_HEADERS, ...headers }, cookies)
}

function visitor(gateway: Gateway, session: SignedIn | undefined): ConsentView['user'] {
  const asksPassword = gateway.logins.some((login) => login.prompt.kind === 'password')
  if (session !== undefined && asksPassword) return { kind: 'signed_in', name: session.profile.name }
  return { kind: asksPassword ? 'password' : 'anonymous' }
}
