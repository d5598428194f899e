// A submitted consent form: what of it must be true before anything is done with the answer.
import { PageError } from '../errors.ts'
import type { Gateway, Route } from '../gateway.ts'
import { type Parameters, parseParameters } from '../oauth/parameters.ts'
import { checkRedirectUri } from '../oauth/redirect-uri.ts'
import { includesAll } from '../oauth/scope.ts'
import { sameHash } from '../oauth/tokens.ts'
import type { Subject } from '../slots.ts'
import type { Transaction } from '../store/records.ts'
import type { Entry } from '../store/store.ts'
import { knownClient } from './authorize.ts'
import { checkBrowser, csrfToken } from './browser-binding.ts'
import type { Deps, EndpointRequest } from './endpoint.ts'
import { checkSameSite } from './same-site.ts'
import { alreadyUsed, type BoundTransaction, configurationChanged, openForm } from './transactions.ts'

/** Everything about one submitted form that has been checked. */
export interface Submission {
  readonly request: EndpointRequest
  readonly gateway: Gateway
  readonly deps: Deps
  readonly form: Parameters
  readonly entry: Entry<Transaction>
  readonly bound: BoundTransaction
  readonly route: Route
}

export async function checkSubmission(
  request: EndpointRequest,
  gateway: Gateway,
  deps: Deps,
): Promise<Submission> {
  checkSameSite(request, gateway)
  const form = parseParameters(request.body)
  const entry = await openForm(form.get('transaction'), gateway, deps)
  const browserSecret = checkBrowser(entry.value, request, gateway)
  if (entry.value.stage !== 'consent') throw alreadyUsed()
  const route = liveRoute(entry.value, gateway)
  return { request, gateway, deps, form, entry, bound: { transaction: entry.value, browserSecret }, route }
}

/** The route that the consent page named, with the upstream that it named. */
export function liveRoute({ route: name, upstreamUrl }: Transaction, gateway: Gateway): Route {
  const route = gateway.routes.get(name)
  if (route?.upstream.url.href === upstreamUrl && route.tokens.kind === 'gateway') return route
  throw configurationChanged()
}

/** The file may have changed since /authorize: the code goes nowhere that it would not send it now (sec-H4). */
export async function checkStillSo(
  { clientId, redirectUri, scopes }: Transaction,
  route: Route,
  gateway: Gateway,
  deps: Deps,
): Promise<void> {
  const client = await knownClient(clientId, gateway, deps)
  checkRedirectUri(client.redirectUris, redirectUri)
  if (!includesAll(route.optionalScopes, scopes)) throw configurationChanged()
}

export function checkCsrf({ form, bound }: Submission, subject: Subject | undefined): void {
  if (sameHash(form.get('csrf') ?? '', csrfToken(bound, subject))) return
  throw new PageError(
    403,
    'This page is out of date',
    'Somebody signed in or out in this browser since it was opened. Go back to your client and connect again.',
    {
      reason: 'csrf',
    },
  )
}
