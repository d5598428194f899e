// Clients that have tokens for themselves (RFC 6749 §4.4): who they are to grants, access rules and the audit. Pure.
import type { Profile, Subject } from '../slots.ts'
import { describeStatic, isMachine, type StaticClient } from './client.ts'

/** Never the subject of a person: logins have prefixes of their own. */
export function machineSubject(clientId: string): Subject {
  return `clients/${clientId}` as Subject
}

/** Vouched for as long as the configuration lets the client have tokens for itself. */
export function machineProfiles(
  clients: Readonly<Record<string, StaticClient>>,
): ReadonlyMap<Subject, Profile> {
  const machines = Object.entries(clients).filter(([id, client]) => isMachine(describeStatic(id, client)))
  return new Map(
    machines.map(([id]) => [machineSubject(id), { kind: 'client', name: id, groups: [], claims: {} }]),
  )
}
