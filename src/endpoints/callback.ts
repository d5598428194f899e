// GET /upstream/callback[/<id>]: the browser comes back from screen 2. Everything is checked and the transaction is
// consumed before the upstream's code is touched.
import { errorFields, OAuthError, PageError } from '../errors.ts'
import type { Gateway, Route } from '../gateway.ts'
import { parseParameters } from '../oauth/parameters.ts'
import { sameHash } from '../oauth/tokens.ts'
import { mayUse } from '../policy/access.ts'
import type { Reply } from '../reply.ts'
import type { UpstreamLink, UpstreamPending } from '../slots.ts'
import type { Transaction } from '../store/records.ts'
import type { Entry } from '../store/store.ts'
import { redirectError } from './authorize.ts'
import { checkBrowser, unbindCookie } from './browser-binding.ts'
import { consentReply, OTHER_LIST } from './consent-reply.ts'
import type { Deps, EndpointRequest, Handle } from './endpoint.ts'
import { codeReply } from './grants.ts'
import { checkStillThere, type Person } from './known-subjects.ts'
import { currentSession } from './sessions.ts'
import { checkStillSo, liveRoute } from './submission.ts'
import { advance, configurationChanged, loadTransaction } from './transactions.ts'

export const callback: Handle = async (request, gateway, deps) => {
  const state = parseParameters(request.query).get('state') ?? ''
  const entry = await loadTransaction(state.split('.')[0], deps)
  const transaction = entry.value
  const pending = checkState(transaction, state, request.path, deps)
  const browserSecret = await checkSameBrowser(entry, request, gateway, deps)
  const person = await checkSameUser(transaction, request, gateway, deps)
  const { subject } = person
  const { route, link } = await liveLink(transaction, pending, gateway, deps)
  // Consumed before the exchange: a second click must not redeem the code again (sec-C5).
  await advance(entry, { stage: 'done' }, deps)
  const cookies = [unbindCookie(transaction, gateway)]
  try {
    const finished = await link.finish(subject, pending, new URLSearchParams(request.query))
    if (finished !== 'connected')
      return await askAgain({ id: transaction.id, browserSecret, request, route }, gateway, deps)
    await checkStillThere(person, gateway, deps)
    deps.log.info('upstream connected', { subject, route: route.name })
    return await codeReply(transaction, person, route, gateway, deps, cookies)
  } catch (error) {
    return failed(error, transaction, gateway, deps, cookies)
  }
}

interface NotFinished {
  readonly id: string
  readonly browserSecret: string
  readonly request: EndpointRequest
  readonly route: Route
}

/** Back to screen 1, in the browser that it is bound to: what is to be asked for now nobody has said yes to yet. */
async function askAgain(
  { id, browserSecret, request, route }: NotFinished,
  gateway: Gateway,
  deps: Deps,
): Promise<Reply> {
  const entry = await loadTransaction(id, deps)
  const change = { stage: 'consent', upstream: undefined } as const
  await advance(entry, change, deps)
  deps.log.info('consent asked again for other scopes', { subject: entry.value.subject, route: route.name })
  const session = await currentSession(request, gateway, deps)
  const bound = { transaction: { ...entry.value, ...change }, browserSecret }
  return consentReply(gateway, deps, { bound, route, session, cookies: [], error: OTHER_LIST })
}

/** The state is ours, whole, not yet used, and came in where this authorization server's answers belong (sec-C10). */
export function checkState(
  transaction: Transaction,
  state: string,
  path: string,
  { sealer }: Deps,
): UpstreamPending {
  const { stage, upstream, id } = transaction
  if (stage !== 'upstream' || upstream === undefined || upstream.callbackPath !== path)
    throw expired('stage_or_path')
  const opened = sealer.open('transaction', id, upstream.sealed)
  if (opened === undefined) throw expired('sealed')
  const pending = JSON.parse(opened) as UpstreamPending
  if (!sameHash(pending.state, state)) throw expired('state')
  return pending
}

function expired(reason: string): PageError {
  return new PageError(
    400,
    'This sign-in was already finished or has expired',
    'Go back to your client and connect again.',
    { reason },
  )
}

/** The secret in this browser's cookie. A state that arrives in another browser has been in other hands: it is burnt, for the browser it belongs to as well (sec-C2). */
export async function checkSameBrowser(
  entry: Entry<Transaction>,
  request: EndpointRequest,
  gateway: Gateway,
  deps: Deps,
): Promise<string> {
  try {
    return checkBrowser(entry.value, request, gateway)
  } catch (error) {
    await advance(entry, { stage: 'done' }, deps)
    throw error
  }
}

/** Another tab may have signed in as somebody else meanwhile: the upstream account must not land with them (sec-C7). */
export async function checkSameUser(
  transaction: Transaction,
  request: EndpointRequest,
  gateway: Gateway,
  deps: Deps,
): Promise<Person> {
  const session = await currentSession(request, gateway, deps)
  if (session !== undefined && session.subject === transaction.subject) return session
  throw new PageError(
    403,
    'You signed in as somebody else meanwhile',
    'Go back to your client and connect again.',
    { reason: 'other_user' },
  )
}

/** The sign-in is finished only under the configuration it was begun under, as far as credentials and the code go (sec-H4). */
export async function liveLink(
  transaction: Transaction,
  pending: UpstreamPending,
  gateway: Gateway,
  deps: Deps,
): Promise<{ route: Route; link: UpstreamLink }> {
  const route = liveRoute(transaction, gateway)
  const { link } = route.auth
  if (link === undefined || (await link.fingerprint()) !== pending.fingerprint) throw configurationChanged()
  const profile = transaction.subject && gateway.profile(transaction.subject)
  if (profile === undefined || !mayUse(route.access, profile)) throw configurationChanged()
  await checkStillSo(transaction, route, gateway, deps)
  return { route, link }
}

export function failed(
  error: unknown,
  transaction: Transaction,
  gateway: Gateway,
  { log }: Deps,
  cookies: readonly string[],
): Reply {
  if (!(error instanceof OAuthError)) throw error
  // The person's own Cancel is nobody's fault.
  const level = error.code === 'access_denied' ? 'info' : 'warn'
  log[level]('upstream sign-in failed', { route: transaction.route, ...errorFields(error) })
  return redirectError(transaction.redirectUri, transaction.state, gateway.issuer, error, cookies)
}
