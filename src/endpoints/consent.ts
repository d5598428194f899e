// POST /login and POST /consent: the answer to screen 1. Signs the person in if need be, then goes on to the upstream
// or straight back to the client.
import { LoginRefused, OAuthError, PageError } from '../errors.ts'
import type { Gateway, Route } from '../gateway.ts'
import { type Parameters, parseParameters } from '../oauth/parameters.ts'
import { includesAll } from '../oauth/scope.ts'
import { hashToken, mintSecret, sameHash } from '../oauth/tokens.ts'
import { mayUse } from '../policy/access.ts'
import { type Reply, redirectReply } from '../reply.ts'
import type { Login, Subject, UpstreamLink } from '../slots.ts'
import type { Transaction } from '../store/records.ts'
import type { Entry } from '../store/store.ts'
import { redirectError } from './authorize.ts'
import { bindCookies, checkBrowser, csrfToken, unbindCookie } from './browser-binding.ts'
import { consentReply } from './consent-reply.ts'
import { listDigest, scopesAtStake } from './consented-scopes.ts'
import type { Deps, EndpointRequest, Handle } from './endpoint.ts'
import { codeReply } from './grants.ts'
import { checkSameSite } from './same-site.ts'
import { currentSession, endSession, type SignedIn, startSession } from './sessions.ts'
import {
  advance,
  alreadyUsed,
  type BoundTransaction,
  configurationChanged,
  openForm,
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
  const entry = await openForm(form.get('transaction'), deps)
  const browserSecret = checkBrowser(entry.value, request, gateway)
  if (entry.value.stage !== 'consent') throw alreadyUsed()
  const route = gateway.routes.get(entry.value.route)
  if (route?.upstream.url.href !== entry.value.upstreamUrl || route.tokens.kind !== 'gateway')
    throw configurationChanged()
  return { request, gateway, deps, form, entry, bound: { transaction: entry.value, browserSecret }, route }
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
  return consentReply(gateway, deps, {
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
  return consentReply(gateway, deps, { bound, route, session: undefined, cookies })
}

/** Not written down, since anyone may say no as often as they like (sec-C16): with the cookie gone, the form is worth nothing. */
function deny(submission: Submission): Reply {
  submission.deps.log.info('consent denied', { route: submission.route.name })
  return tellClient(submission, new OAuthError('access_denied', 'the user denied the request'), [])
}

/** The transaction is over; the client learns why. */
async function endWith(
  submission: Submission,
  error: OAuthError,
  cookies: readonly string[],
): Promise<Reply> {
  await advance(submission.entry, { stage: 'done' }, submission.deps)
  return tellClient(submission, error, cookies)
}

function tellClient({ gateway, entry }: Submission, error: OAuthError, cookies: readonly string[]): Reply {
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
  const { gateway, deps, form, entry, route } = submission
  const profile = gateway.profile(subject)
  if (profile === undefined || !mayUse(route.access, profile))
    return refuseAccess(submission, subject, cookies)
  const consented = await scopesAtStake(route, subject, entry.value.scopes)
  const approved: Approved = { ...submission, signedIn: { subject, profile }, consented, cookies }
  if (!sameHash(form.get('scopes') ?? '', listDigest(consented))) return showAgain(approved)
  const { link } = route.auth
  if (link !== undefined && (relink || !(await isConnected(link, subject, entry.value))))
    return toUpstream(approved, link, relink)
  deps.log.info('consent given', { subject, route: route.name })
  await advance(entry, { stage: 'done', subject, consented }, deps)
  return codeReply({ ...entry.value, consented }, subject, route, gateway, deps, [
    ...cookies,
    unbindCookie(entry.value, gateway),
  ])
}

/** A form whose sender may use the route, and the scopes that they said yes to. */
interface Approved extends Submission {
  readonly signedIn: SignedIn
  readonly consented: readonly string[]
  readonly cookies: readonly string[]
}

/** The page before knew nothing of the person, or something changed since: a yes is worth what was read before it (spec-H2). */
function showAgain({ gateway, deps, bound, route, signedIn, cookies }: Approved): Promise<Reply> {
  deps.log.info('consent asked again for other scopes', { subject: signedIn.subject, route: route.name })
  const error = 'The list of scopes is not the one that you saw before. Look at it again.'
  return consentReply(gateway, deps, { bound, route, session: signedIn, cookies, error })
}

/** A sign-in is when the upstream is asked for all that is due, whichever client it is due for. */
async function isConnected(link: UpstreamLink, subject: Subject, { scopes }: Transaction): Promise<boolean> {
  return link.isGood(subject, await link.scopes(subject, scopes))
}

function refuseAccess(submission: Submission, subject: Subject, cookies: readonly string[]): Promise<Reply> {
  submission.deps.log.warn('access refused', { subject, route: submission.route.name })
  return endWith(submission, new OAuthError('access_denied', 'this account may not use this server'), cookies)
}

async function toUpstream(approved: Approved, link: UpstreamLink, relink: boolean): Promise<Reply> {
  const { deps, entry, route, signedIn, consented, cookies } = approved
  const { id, scopes: requested } = entry.value
  const state = `${id}.${mintSecret()}`
  const started = await link.begin(signedIn.subject, state, { requested, relink }).catch((error: unknown) => {
    if (error instanceof OAuthError) return error
    throw error
  })
  if (started instanceof OAuthError) {
    const { message: reason, detail } = started
    deps.log.warn('upstream sign-in cannot begin', { route: route.name, reason, ...detail })
    return endWith(approved, started, cookies)
  }
  // Only now the upstream said what it asks for.
  if (!includesAll(consented, started.pending.scopes)) return showAgain(approved)
  deps.log.info('consent given', { subject: signedIn.subject, route: route.name })
  return sendToUpstream(approved, link, started)
}

// The cookie is renewed together with the redirect, after consent: one that was planted or read before is worth nothing
// at the callback (MCP security best practices, "OAuth State Parameter Validation").
async function sendToUpstream(
  { request, gateway, deps, entry, signedIn, consented, cookies }: Approved,
  { callbackPath }: UpstreamLink,
  { location, pending }: Awaited<ReturnType<UpstreamLink['begin']>>,
): Promise<Reply> {
  const { id } = entry.value
  const browserSecret = mintSecret()
  const change = {
    stage: 'upstream',
    subject: signedIn.subject,
    consented,
    browserHash: hashToken(browserSecret),
    upstream: { callbackPath, sealed: deps.sealer.seal('transaction', id, JSON.stringify(pending)) },
  } as const
  await advance(entry, change, deps)
  const bound = { transaction: { ...entry.value, ...change }, browserSecret }
  return redirectReply(location, [...cookies, ...bindCookies(bound, request, gateway, deps.now())])
}
