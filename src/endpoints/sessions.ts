// Browsers that signed in: which subject a session cookie stands for.
import { clearCookie, setCookie } from '../cookies.ts'
import type { Gateway } from '../gateway.ts'
import { hashToken, mintSecret } from '../oauth/tokens.ts'
import type { Login, Profile } from '../slots.ts'
import { FORMAT, indexes, keys, type Session } from '../store/records.ts'
import type { Deps, EndpointRequest } from './endpoint.ts'
import { checkStillThere, epochOf, type Person, rememberSubject } from './known-subjects.ts'

export interface SignedIn extends Person {
  readonly profile: Profile
}

/** Undefined when nobody is signed in, when no login vouches for that person any more, or when they left since. */
export async function currentSession(
  request: EndpointRequest,
  gateway: Gateway,
  deps: Deps,
): Promise<SignedIn | undefined> {
  const cookie = request.cookies.get(gateway.cookies.session)
  if (cookie === undefined || cookie === '') return undefined
  const session = await deps.store.get<Session>(keys.session(hashToken(cookie)))
  if (session === undefined) return undefined
  const { subject, epoch = 0 } = session.value
  const profile = gateway.profile(subject)
  return profile && (await epochOf(subject, deps)) === epoch ? { subject, epoch, profile } : undefined
}

/** Always a new cookie, so that none planted before the sign-in is worth anything after it (sec-L7). */
export async function startSession(
  person: Person,
  login: Login,
  gateway: Gateway,
  deps: Deps,
): Promise<string> {
  const { store, now } = deps
  const { subject, epoch } = person
  if (login.reusableNames.has(subject)) await rememberSubject(subject, deps)
  const cookie = mintSecret()
  const expiresAtMs = now() + login.sessionTtlMs
  const session: Session = { v: FORMAT, subject, epoch, createdAtMs: now(), expiresAtMs }
  await store.put(keys.session(hashToken(cookie)), session, {
    expiresAtMs,
    indexes: [indexes.bySubject(subject)],
  })
  await checkStillThere(person, gateway, deps)
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
