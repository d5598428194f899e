// What follows a yes on screen 1: on to the upstream, or straight back to the client with a code.
import { errorFields, OAuthError } from '../errors.ts'
import { includesAll } from '../oauth/scope.ts'
import { hashToken, mintSecret, sameHash } from '../oauth/tokens.ts'
import { mayUse } from '../policy/access.ts'
import { type Reply, redirectReply } from '../reply.ts'
import type { Begun, Subject, UpstreamLink } from '../slots.ts'
import type { Transaction } from '../store/records.ts'
import { redirectError } from './authorize.ts'
import { bindCookies, unbindCookie } from './browser-binding.ts'
import { consentReply, OTHER_LIST } from './consent-reply.ts'
import { listDigest, scopesAtStake } from './consented-scopes.ts'
import { codeReply } from './grants.ts'
import type { Person } from './known-subjects.ts'
import type { SignedIn } from './sessions.ts'
import type { Submission } from './submission.ts'
import { advance } from './transactions.ts'

export interface Approver extends Person {
  readonly cookies?: readonly string[]
  /** Their session, which begins with the consent. Resolves with its cookie. */
  readonly begin?: () => Promise<string>
}

export async function approve(
  submission: Submission,
  { subject, epoch, cookies = [], begin }: Approver,
  relink = false,
): Promise<Reply> {
  const { gateway, deps, form, entry, route } = submission
  const profile = gateway.profile(subject)
  if (profile === undefined || !mayUse(route.access, profile))
    return refuseAccess(submission, subject, cookies)
  const consented = await scopesAtStake(route, subject, entry.value.scopes)
  const approved: Approved = {
    ...submission,
    signedIn: { subject, epoch, profile },
    consented,
    cookies,
    begin,
  }
  if (!sameHash(form.get('scopes') ?? '', listDigest(consented))) return showAgain(approved)
  const { link } = route.auth
  if (link !== undefined && (relink || !(await isConnected(link, subject, entry.value))))
    return toUpstream(approved, link, relink)
  deps.log.info('consent given', { subject, route: route.name })
  await advance(entry, { stage: 'done', subject, consented }, deps)
  return codeReply({ ...entry.value, consented }, approved.signedIn, route, gateway, deps, [
    ...(await sessionCookies(approved)),
    unbindCookie(entry.value, gateway),
  ])
}

/** A form whose sender may use the route, and the scopes that they said yes to. */
interface Approved extends Submission {
  readonly signedIn: SignedIn
  readonly consented: readonly string[]
  readonly cookies: readonly string[]
  readonly begin: Approver['begin']
}

async function sessionCookies({ cookies, begin }: Approved): Promise<readonly string[]> {
  return begin === undefined ? cookies : [...cookies, await begin()]
}

/** The page before knew nothing of the person, or something changed since: a yes is worth what was read before it (spec-H2). */
function showAgain({ gateway, deps, bound, route, signedIn, cookies, begin }: Approved): Promise<Reply> {
  deps.log.info('consent asked again for other scopes', { subject: signedIn.subject, route: route.name })
  const session = begin ? undefined : signedIn
  return consentReply(gateway, deps, { bound, route, session, cookies, error: OTHER_LIST })
}

/** A sign-in is when the upstream is asked for all that is due, whichever client it is due for. */
async function isConnected(link: UpstreamLink, subject: Subject, { scopes }: Transaction): Promise<boolean> {
  // Where the server is not known yet, going there is what looks it up.
  if ((await link.fingerprint()) === undefined) return false
  return link.isGood(subject, await link.scopes(subject, scopes))
}

/** Not written down: the form gets them no further a second time, and anyone may send it where nobody signs in (sec-C16). */
function refuseAccess(submission: Submission, subject: Subject, cookies: readonly string[]): Reply {
  submission.deps.log.warn('access refused', { subject, route: submission.route.name })
  return tellClient(
    submission,
    new OAuthError('access_denied', 'this account may not use this server'),
    cookies,
  )
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
    deps.log.warn('upstream sign-in cannot begin', { route: route.name, ...errorFields(started) })
    return endWith(approved, started, cookies)
  }
  // Only now the upstream said what it asks for.
  if (!includesAll(consented, started.pending.scopes)) return showAgain(approved)
  deps.log.info('consent given', { subject: signedIn.subject, route: route.name })
  return sendToUpstream(approved, started)
}

// The cookie is renewed together with the redirect, after consent: one that was planted or read before is worth nothing
// at the callback (MCP security best practices, "OAuth State Parameter Validation").
async function sendToUpstream(
  approved: Approved,
  { location, callbackPath, pending }: Begun,
): Promise<Reply> {
  const { request, gateway, deps, entry, signedIn, consented } = approved
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
  const cookies = await sessionCookies(approved)
  return redirectReply(location, [...cookies, ...bindCookies(bound, request, gateway, deps.now())])
}

/** The transaction is over; the client learns why. */
export async function endWith(
  submission: Submission,
  error: OAuthError,
  cookies: readonly string[],
): Promise<Reply> {
  await advance(submission.entry, { stage: 'done' }, submission.deps)
  return tellClient(submission, error, cookies)
}

export function tellClient(
  { gateway, entry }: Submission,
  error: OAuthError,
  cookies: readonly string[],
): Reply {
  const { redirectUri, state } = entry.value
  return redirectError(redirectUri, state, gateway.issuer, error, [
    ...cookies,
    unbindCookie(entry.value, gateway),
  ])
}
