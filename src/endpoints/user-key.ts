// GET and POST /upstream/key/<route>: screen 2 as a page of our own, where a person pastes their key. The same checks as
// at the callback; the key is tried at the upstream before it is kept.
import { errorFields, OAuthError, PageError, UpstreamError } from '../errors.ts'
import type { Gateway, Route } from '../gateway.ts'
import { parseParameters } from '../oauth/parameters.ts'
import { sameHash } from '../oauth/tokens.ts'
import { PAGE_HEADERS } from '../pages/layout.ts'
import { userKeyPage } from '../pages/user-key.ts'
import { htmlReply, type Reply } from '../reply.ts'
import type { KeyForm, UpstreamLink, UpstreamPending } from '../slots.ts'
import type { Transaction } from '../store/records.ts'
import type { Entry } from '../store/store.ts'
import { csrfToken, unbindCookie } from './browser-binding.ts'
import { checkSameBrowser, checkSameUser, checkState, failed, liveLink } from './callback.ts'
import type { Deps, EndpointRequest, Handle } from './endpoint.ts'
import { codeReply } from './grants.ts'
import { checkStillThere, type Person } from './known-subjects.ts'
import { checkSameSite } from './same-site.ts'
import { advance, alreadyUsed, configurationChanged, loadTransaction } from './transactions.ts'

/** On one page. Nobody mistypes what they paste more often. */
const MAX_ATTEMPTS = 5
const WAIT_SECONDS = 180

/** Everything about one visit to the page that has been checked. */
interface Visit {
  readonly gateway: Gateway
  readonly deps: Deps
  readonly entry: Entry<Transaction>
  readonly pending: UpstreamPending
  readonly person: Person
  readonly route: Route
  readonly link: UpstreamLink
  readonly form: KeyForm
  readonly csrf: string
}

export const keyForm: Handle = async (request, gateway, deps) => {
  const state = parseParameters(request.query).get('state') ?? ''
  return page(await checkVisit(state, request, gateway, deps))
}

export const keySubmission: Handle = async (request, gateway, deps) => {
  checkSameSite(request, gateway)
  const sent = parseParameters(request.body)
  const visit = await checkVisit(sent.get('state') ?? '', request, gateway, deps)
  if (!sameHash(sent.get('csrf') ?? '', visit.csrf)) throw outOfDate()
  if (sent.get('decision') !== 'connect') return cancel(visit, 'the user gave no key')
  if (attemptsOf(visit) >= MAX_ATTEMPTS) return cancel(visit, NO_GOOD_KEY)
  if (!deps.keyAttempts.take(visit.person.subject)) return page(visit, tooMany(visit))
  const counted = await recount(visit, attemptsOf(visit) + 1)
  const key = sent.get('key') ?? ''
  const refused = await tryKey(counted, key)
  if (refused === undefined) return connect(counted, key)
  // Nobody learns anything about a key from an upstream that does not answer.
  if (refused.isUnchecked) return page(await recount(counted, attemptsOf(counted) - 1), refused)
  return attemptsOf(counted) >= MAX_ATTEMPTS ? cancel(counted, NO_GOOD_KEY) : page(counted, refused)
}

const NO_GOOD_KEY = 'no key was given that the upstream takes'

const attemptsOf = ({ entry }: Visit): number => entry.value.keyAttempts ?? 0

function tooMany({ deps, route, person }: Visit): Refused {
  deps.log.warn('too many keys tried', { route: route.name, subject: person.subject })
  return {
    status: 429,
    error: 'Too many keys were tried. Wait a few minutes, then try again.',
    headers: { 'retry-after': String(WAIT_SECONDS) },
  }
}

/** Counted before the key is tried, so that many at once are not more guesses than one after the other. */
async function recount(visit: Visit, keyAttempts: number): Promise<Visit> {
  const { deps, entry } = visit
  await advance(entry, { keyAttempts }, deps)
  const counted = { ...visit, entry: await loadTransaction(entry.value.id, deps) }
  if (attemptsOf(counted) !== keyAttempts || counted.entry.value.stage !== 'upstream') throw alreadyUsed()
  return counted
}

async function checkVisit(
  state: string,
  request: EndpointRequest,
  gateway: Gateway,
  deps: Deps,
): Promise<Visit> {
  const entry = await loadTransaction(state.split('.')[0], deps)
  const transaction = entry.value
  const pending = checkState(transaction, state, request.path, deps)
  const browserSecret = await checkSameBrowser(entry, request, gateway, deps)
  const person = await checkSameUser(transaction, request, gateway, deps)
  const { route, link } = await liveLink(transaction, pending, gateway, deps)
  // A page that said "and nowhere else" is kept to it.
  if (link.keyForm === undefined || String(link.keyForm.sentTo) !== String(pending.sentTo))
    throw configurationChanged()
  const csrf = csrfToken({ transaction, browserSecret }, person.subject)
  return { gateway, deps, entry, pending, person, route, link, form: link.keyForm, csrf }
}

interface Refused {
  readonly status: number
  readonly error: string
  readonly headers?: Readonly<Record<string, string>>
  /** The upstream has said nothing of the key. */
  readonly isUnchecked?: boolean
}

const UNANSWERED: Refused = {
  status: 503,
  error: 'The upstream does not answer at the moment, so the key is not checked yet. Try again.',
  isUnchecked: true,
}

const UNUSABLE: Refused = {
  status: 502,
  error: 'The upstream does not say whether it takes a key: the operator of this gateway has to act.',
  isUnchecked: true,
}

async function tryKey({ form, deps, person, route }: Visit, key: string): Promise<Refused | undefined> {
  try {
    const error = await form.check(key)
    if (error !== undefined) deps.log.info('key refused', { subject: person.subject, route: route.name })
    return error === undefined ? undefined : { status: 403, error }
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    deps.log.warn('key not checked', { route: route.name, ...errorFields(error) })
    return error.fault === 'bad_response' ? UNUSABLE : UNANSWERED
  }
}

// Consumed before the key is kept: of two clicks one connects (sec-C5).
async function connect(
  { gateway, deps, entry, pending, person, route, link }: Visit,
  key: string,
): Promise<Reply> {
  await advance(entry, { stage: 'done' }, deps)
  const cookies = [unbindCookie(entry.value, gateway)]
  try {
    await link.finish(person.subject, pending, new URLSearchParams({ key }))
    await checkStillThere(person, gateway, deps)
    deps.log.info('upstream connected', { subject: person.subject, route: route.name })
    return await codeReply(entry.value, person, route, gateway, deps, cookies)
  } catch (error) {
    return failed(error, entry.value, gateway, deps, cookies)
  }
}

async function cancel({ gateway, deps, entry }: Visit, reason: string): Promise<Reply> {
  await advance(entry, { stage: 'done' }, deps)
  const denied = new OAuthError('access_denied', reason)
  return failed(denied, entry.value, gateway, deps, [unbindCookie(entry.value, gateway)])
}

function page({ gateway, route, form, pending, person, csrf }: Visit, refused?: Refused): Reply {
  const asksWho = gateway.logins.some(({ prompt }) => prompt.kind === 'password')
  const html = userKeyPage({
    brand: gateway.brand,
    route: { title: route.title, path: form.path },
    hosts: form.sentTo.map((origin) => new URL(origin).host),
    instructions: form.instructions,
    helpUrl: form.helpUrl,
    user: asksWho ? gateway.profile(person.subject)?.name : undefined,
    state: pending.state,
    csrf,
    error: refused?.error,
  })
  return htmlReply(refused?.status ?? 200, html, { ...PAGE_HEADERS, ...refused?.headers })
}

function outOfDate(): PageError {
  return new PageError(403, 'This page is out of date', 'Go back to your client and connect again.', {
    reason: 'csrf',
  })
}
