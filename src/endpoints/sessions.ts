// Browsers that signed in: which subject a session cookie stands for.
import { clearCookie, setCookie } from '../cookies.ts'
import type { Gateway } from '../gateway.ts'
import { hashToken, mintSecret } from '../oauth/tokens.ts'
import type { Login, Profile, Subject } from '../slots.ts'
import { FORMAT, indexes, keys, type Session } from '../store/records.ts'
import type { Deps, EndpointRequest } from './endpoint.ts'
import { rememberSubject } from './grants.ts'

export interface SignedIn {
  readonly subject: Subject
  readonly profile: Profile
}

/** Undefined when nobody is signed in, or when no login vouches for that person any more. */
export async function currentSession(
  request: EndpointRequest,
  gateway: Gateway,
  { store }: Deps,
): Promise<SignedIn | undefined> {
  const cookie = request.cookies.get(gateway.cookies.session)
  if (cookie === undefined || cookie === '') return undefined
  const session = await store.get<Session>(keys.session(hashToken(cookie)))
  const profile = session && gateway.profile(session.value.subject)
  return profile && { subject: session.value.subject, profile }
}

/** Always a new cookie, so that none planted before the sign-in is worth anything after it (sec-L7). */
export async function startSession(
  subject: Subject,
  login: Login,
  gateway: Gateway,
  { store, now }: Deps,
): Promise<string> {
  const cookie = mintSecret()
  const session: Session = { v: FORMAT, subject, createdAtMs: now(), expiresAtMs: now() + login.sessionTtlMs }
  await store.put(keys.session(hashToken(cookie)), session, {
    expiresAtMs: session.expiresAtMs,
    indexes: [indexes.bySubject(subject)],
  })
  if (login.hasReusableNames) await rememberSubject(subject, { store })
  return setCookie(gateway.cookies, gateway.cookies.session, cookie, Math.floor(login.sessionTtlMs / 1000))
}

export async function endSession(
  request: EndpointRequest,
  gateway: Gateway,
  { store }: Deps,
): Promise<string> {
  const cookie = request.cookies.get(gateway.cookies.session)
  const key = keys.session(hashToken(cookie ?? ''))
  const session = await store.get<Session>(key)
  if (session !== undefined) await store.cas(key, session.version, undefined)
  return clearCookie(gateway.cookies, gateway.cookies.session)
}
