// Who vouches for whom: the logins for people, the file for machine clients, and issuers for people they bring along.
import type { Config } from '../config/types.ts'
import { type GrantType, offeredGrantTypes } from '../oauth/grant-types.ts'
import { isSubjectOf, type TrustedIssuer } from '../oauth/issuer-token.ts'
import { machineProfiles } from '../oauth/machine.ts'
import { isOwnAddress } from '../oauth/own-address.ts'
import type { Login, Profile, Subject } from '../slots.ts'
import type { Grant } from '../store/records.ts'

export interface Vouchers {
  /** What may be asked for at /token. */
  readonly grantTypes: readonly GrantType[]
  /** Issuers whose word about people is taken, by their issuer identifier. */
  readonly trustedIssuers: ReadonlyMap<string, TrustedIssuer>
  /** Undefined when no login, and no entry of a machine client, vouches for the subject any more. */
  profile(subject: Subject): Profile | undefined
  /** What is known now of the person or client that a grant is about; undefined when nobody vouches for them any more. */
  profileOf(grant: Pick<Grant, 'subject' | 'profile'>): Profile | undefined
  /** Subjects of the file that may be somebody else's when they left and come back. */
  readonly reusableNames: ReadonlySet<Subject>
  /** Whether anybody vouches for the subject still, be it with each assertion anew. */
  knows(subject: Subject): boolean
}

export function vouchers(config: Config, logins: readonly Login[], publicUrl: string): Vouchers {
  const machines = machineProfiles(config.clients.static)
  const issuers = Object.values(config.trusted_issuers)
  checkOthers(issuers, publicUrl)
  const asserting = issuers.filter(({ id_jag: idJag }) => idJag)
  const profile: Vouchers['profile'] = (subject) =>
    machines.get(subject) ?? logins.find((login) => subject.startsWith(login.prefix))?.profile(subject)
  const isAsserted = (subject: Subject) => asserting.some((issuer) => isSubjectOf(subject, issuer))
  return {
    grantTypes: offeredGrantTypes({ machines: machines.size > 0, idJag: asserting.length > 0 }),
    trustedIssuers: new Map(issuers.map((trusted) => [trusted.issuer, trusted])),
    profile,
    profileOf: ({ subject, profile: asserted }) =>
      profile(subject) ?? (isAsserted(subject) ? asserted : undefined),
    reusableNames: new Set([...machines.keys(), ...logins.flatMap((login) => [...login.reusableNames])]),
    knows: (subject) => profile(subject) !== undefined || isAsserted(subject),
  }
}

/** The configuration's rules say it where they know `public_url`; here it is the address that the port makes, too. */
function checkOthers(issuers: readonly TrustedIssuer[], publicUrl: string): void {
  for (const { issuer, jwks_uri: keys = issuer } of issuers)
    if ([issuer, keys].some((url) => isOwnAddress(url, publicUrl)))
      throw new Error(`trusted_issuers: ${issuer} is this gateway itself`)
}
