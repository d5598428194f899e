// POST /login and POST /consent: the answer to screen 1. Signs the person in if need be, then goes on to the upstream
// or straight back to the client.
import { LoginRefused, OAuthError, PageError } from '../errors.ts'
import type { Gateway, Route } from '../gateway.ts'
import { type Parameters, parseParameters } from '../oauth/parameters.ts'
import { hashToken, mintSecret, sameHash } from '../oauth/tokens.ts'
import { mayUse } from '../policy/access.ts'
import { type Reply, redirectReply } from '../reply.ts'
import type { Login, Subject, UpstreamLink } from '../slots.ts'
import type { Transaction } from '../store/records.ts'
import type { Entry } from '../store/store.ts'
import { redirectError } from './authorize.ts'
import { consentReply } from './consent-reply.ts'
import type { Deps, EndpointRequest, Handle } from './endpoint.ts'
import { codeReply } from './grants.ts'
import { currentSession, endSession, type SignedIn, startSession } from './sessions.ts'
import {
  advance,
  alreadyUsed,
  type BoundTransaction,
  bindCookies,
  checkBrowser,
  csrfToken,
  loadTransaction,
  unbindCookie,
} from './transactions.ts'

/** Everything about one submitted form that has been checked. */
interface Submission {
  readonly request: EndpointRequest
  readonly gateway: Gateway
  readonly deps: Deps
  readonly form: Parameters
  readonly entry: Entry<Transaction>
  readonly bound: BoundTransaction
  readonly route: Route
}

/** The form with a password: its token does not depend on who is signed in, since the password decides. */
export const login: Handle = async (request, gateway, deps) => {
  const submission = await checkSubmission(request, gateway, deps)
  checkCsrf(submission, undefined)
  if (submission.form.get('decision') === 'deny') return deny(submission)
  try {
    return await approve(submission, await signIn(submission, 'password'))
  } catch (error) {
    if (error instanceof LoginRefused) return await askAgain(submission, error)
    throw error
  }
}

/** The form of somebody who is signed in already, or of nobody where nobody is asked. */
export const consent: Handle = async (request, gateway, deps) => {
  const submission = await checkSubmission(request, gateway, deps)
  const session = await currentSession(request, gateway, deps)
  checkCsrf(submission, session?.subject)
  const decision = submission.form.get('decision')
  if (decision === 'switch') return switchAccount(submission)
  if (decision !== 'allow' && decision !== 'relink') return deny(submission)
  return approve(submission, session ?? (await signIn(submission, 'anonymous')), decision === 'relink')
}

async function checkSubmission(request: EndpointRequest, gateway: Gateway, deps: Deps): Promise<Submission> {
  checkSameSite(request, gateway)
  const form = parseParameters(request.body)
  const entry = await loadTransaction(form.get('transaction'), deps)
  const browserSecret = checkBrowser(entry.value, request, gateway)
  if (entry.value.stage !== 'consent') throw alreadyUsed()
  const route = gateway.routes.get(entry.value.route)
  if (route?.upstream.url.href !== entry.value.upstreamUrl || route.tokens.kind !== 'gateway')
    throw configurationChanged()
  return { request, gateway, deps, form, entry, bound: { transaction: entry.value, browserSecret }, route }
}

/** `null` and absent decide nothing: privacy tools send both. The cookie-bound token decides then (design §6.11). */
export function checkSameSite({ headers }: EndpointRequest, gateway: Gateway): void {
  const { origin } = headers
  const site = headers['sec-fetch-site']
  const foreignOrigin = origin !== undefined && origin !== 'null' && origin !== gateway.issuer
  if (foreignOrigin || site === 'cross-site' || site === 'same-site') {
    throw new PageError(
      403,
      'This form came from another site',
      'Go back to your client and connect again.',
      { reason: 'cross_site' },
    )
  }
}

function checkCsrf({ form, bound }: Submission, subject: Subject | undefined): void {
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

export function configurationChanged(): PageError {
  return new PageError(
    400,
    'The configuration changed',
    'The server you were connecting to was changed in the meantime. Go back to your client and connect again.',
  )
}

interface Approver extends Omit<SignedIn, 'profile'> {
  readonly cookies?: readonly string[]
}

async function signIn({ form, gateway, deps }: Submission, kind: Login['prompt']['kind']): Promise<Approver> {
  const chosen = gateway.logins.find(({ prompt }) => prompt.kind === kind)
  if (chosen === undefined)
    throw new PageError(400, 'You are not signed in', 'Go back to your client and connect again.')
  const subject = await chosen.submit(form)
  deps.log.info('signed in', { subject })
  return { subject, cookies: [await startSession(subject, chosen, gateway, deps)] }
}

function askAgain({ form, gateway, bound, route, deps }: Submission, refused: LoginRefused): Promise<Reply> {
  deps.log.warn('sign-in refused', { status: refused.status, route: route.name })
  const { retryAfterSeconds } = refused
  return consentReply(gateway, {
    bound,
    route,
    session: undefined,
    cookies: [],
    status: refused.status,
    error: refused.message,
    username: form.get('username'),
    ...(retryAfterSeconds !== undefined && { headers: { 'retry-after': String(retryAfterSeconds) } }),
  })
}

async function switchAccount({ request, gateway, deps, bound, route }: Submission): Promise<Reply> {
  const cookies = [await endSession(request, gateway, deps)]
  return consentReply(gateway, { bound, route, session: undefined, cookies })
}

function deny(submission: Submission): Promise<Reply> {
  submission.deps.log.info('consent denied', { route: submission.route.name })
  return endWith(submission, new OAuthError('access_denied', 'the user denied the request'), [])
}

/** The transaction is over; the client learns why. */
async function endWith(
  { gateway, deps, entry }: Submission,
  error: OAuthError,
  cookies: readonly string[],
): Promise<Reply> {
  await advance(entry, { stage: 'done' }, deps)
  const { redirectUri, state } = entry.value
  return redirectError(redirectUri, state, gateway.issuer, error, [
    ...cookies,
    unbindCookie(entry.value, gateway),
  ])
}

async function approve(
  submission: Submission,
  { subject, cookies = [] }: Approver,
  relink = false,
): Promise<Reply> {
  const { gateway, deps, entry, route } = submission
  const profile = gateway.profile(subject)
  if (profile === undefined || !mayUse(route.access, profile))
    return refuseAccess(submission, subject, cookies)
  deps.log.info('consent given', { subject, route: route.name })
  const { link } = route.auth
  if (link !== undefined && (relink || !(await isConnected(link, subject, entry.value))))
    return toUpstream(submission, link, subject, relink, cookies)
  await advance(entry, { stage: 'done', subject }, deps)
  return codeReply(entry.value, subject, route, gateway, deps, [
    ...cookies,
    unbindCookie(entry.value, gateway),
  ])
}

/** A sign-in is when the upstream is asked for all that is due, whichever client it is due for. */
async function isConnected(link: UpstreamLink, subject: Subject, { scopes }: Transaction): Promise<boolean> {
  return link.isGood(subject, await link.scopes(subject, scopes))
}

function refuseAccess(submission: Submission, subject: Subject, cookies: readonly string[]): Promise<Reply> {
  submission.deps.log.warn('access refused', { subject, route: submission.route.name })
  return endWith(submission, new OAuthError('access_denied', 'this account may not use this server'), cookies)
}

async function toUpstream(
  submission: Submission,
  link: UpstreamLink,
  subject: Subject,
  relink: boolean,
  cookies: readonly string[],
): Promise<Reply> {
  const { deps, route } = submission
  const requested = submission.entry.value.scopes
  const state = `${submission.entry.value.id}.${mintSecret()}`
  const started = await link.begin(subject, state, { requested, relink }).catch((error: unknown) => {
    if (error instanceof OAuthError) return error
    throw error
  })
  if (!(started instanceof OAuthError)) return sendToUpstream(submission, link, subject, started, cookies)
  deps.log.warn('upstream sign-in cannot begin', {
    route: route.name,
    reason: started.message,
    ...started.detail,
  })
  return endWith(submission, started, cookies)
}

// The cookie is renewed together with the redirect, after consent: one that was planted or read before is worth nothing
// at the callback (MCP security best practices, "OAuth State Parameter Validation").
async function sendToUpstream(
  { request, gateway, deps, entry }: Submission,
  { callbackPath }: UpstreamLink,
  subject: Subject,
  { location, pending }: Awaited<ReturnType<UpstreamLink['begin']>>,
  cookies: readonly string[],
): Promise<Reply> {
  const { id } = entry.value
  const browserSecret = mintSecret()
  const change = {
    stage: 'upstream',
    subject,
    browserHash: hashToken(browserSecret),
    upstream: { callbackPath, sealed: deps.sealer.seal('transaction', id, JSON.stringify(pending)) },
  } as const
  await advance(entry, change, deps)
  const bound = { transaction: { ...entry.value, ...change }, browserSecret }
  return redirectReply(location, [...cookies, ...bindCookies(bound, request, gateway, deps.now())])
}
