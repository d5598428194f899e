// GET and POST /upstream/key/<route>: screen 2 as a page of our own, where a person pastes their key. The same checks as
// at the callback; the key is tried at the upstream before it is kept.
import { OAuthError, PageError, UpstreamError } from '../errors.ts'
import type { Gateway, Route } from '../gateway.ts'
import { parseParameters } from '../oauth/parameters.ts'
import { sameHash } from '../oauth/tokens.ts'
import { PAGE_HEADERS } from '../pages/layout.ts'
import { userKeyPage } from '../pages/user-key.ts'
import { htmlReply, type Reply } from '../reply.ts'
import type { KeyForm, Subject, UpstreamLink, UpstreamPending } from '../slots.ts'
import type { Transaction } from '../store/records.ts'
import type { Entry } from '../store/store.ts'
import { checkSameBrowser, checkSameUser, checkState, failed, liveLink } from './callback.ts'
import { checkSameSite, configurationChanged } from './consent.ts'
import type { Deps, EndpointRequest, Handle } from './endpoint.ts'
import { codeReply } from './grants.ts'
import { advance, csrfToken, loadTransaction, unbindCookie } from './transactions.ts'

/** Everything about one visit to the page that has been checked. */
interface Visit {
  readonly gateway: Gateway
  readonly deps: Deps
  readonly entry: Entry<Transaction>
  readonly pending: UpstreamPending
  readonly subject: Subject
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
  if (sent.get('decision') !== 'connect') return cancel(visit)
  const key = sent.get('key') ?? ''
  const refused = await tryKey(visit, key)
  return refused === undefined ? connect(visit, key) : page(visit, refused)
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
  const subject = await checkSameUser(transaction, request, gateway, deps)
  const { route, link } = await liveLink(transaction, pending, gateway)
  if (link.keyForm === undefined) throw configurationChanged()
  const csrf = csrfToken({ transaction, browserSecret }, subject)
  return { gateway, deps, entry, pending, subject, route, link, form: link.keyForm, csrf }
}

interface Refused {
  readonly status: number
  readonly error: string
}

async function tryKey({ form, deps, route }: Visit, key: string): Promise<Refused | undefined> {
  try {
    const error = await form.check(key)
    if (error !== undefined) deps.log.info('key refused', { route: route.name })
    return error === undefined ? undefined : { status: 403, error }
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    deps.log.warn('key not checked', { route: route.name, reason: error.message, ...error.detail })
    return {
      status: 503,
      error: 'The upstream does not answer at the moment, so the key is not checked yet. Try again.',
    }
  }
}

// Consumed before the key is kept: of two clicks one connects (sec-C5).
async function connect(
  { gateway, deps, entry, pending, subject, route, link }: Visit,
  key: string,
): Promise<Reply> {
  await advance(entry, { stage: 'done' }, deps)
  const cookies = [unbindCookie(entry.value, gateway)]
  try {
    await link.finish(subject, pending, new URLSearchParams({ key }))
    deps.log.info('upstream connected', { subject, route: route.name })
    return await codeReply(entry.value, subject, route, gateway, deps, cookies)
  } catch (error) {
    return failed(error, entry.value, gateway, deps, cookies)
  }
}

async function cancel({ gateway, deps, entry }: Visit): Promise<Reply> {
  await advance(entry, { stage: 'done' }, deps)
  const denied = new OAuthError('access_denied', 'the user gave no key')
  return failed(denied, entry.value, gateway, deps, [unbindCookie(entry.value, gateway)])
}

function page({ gateway, route, form, link, pending, subject, csrf }: Visit, refused?: Refused): Reply {
  const asksWho = gateway.logins.some(({ prompt }) => prompt.kind === 'password')
  const html = userKeyPage({
    brand: gateway.brand,
    route: { title: route.title, path: link.callbackPath },
    hosts: form.hosts,
    instructions: form.instructions,
    helpUrl: form.helpUrl,
    user: asksWho ? gateway.profile(subject)?.name : undefined,
    state: pending.state,
    csrf,
    error: refused?.error,
  })
  return htmlReply(refused?.status ?? 200, html, PAGE_HEADERS)
}

function outOfDate(): PageError {
  return new PageError(403, 'This page is out of date', 'Go back to your client and connect again.', {
    reason: 'csrf',
  })
}
