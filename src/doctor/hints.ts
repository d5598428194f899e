// What an operator can do about an authorization server that is not found or not believed: for each cause the setting that
// helps, and never one that only leads to the next refusal. Pure.
import { type LogDetail, UpstreamError } from '../errors.ts'
import type { Distrust } from '../upstream/server-metadata.ts'
import { isWebAddress } from '../upstream/well-known.ts'
import { adviceFor } from './observe.ts'

export interface Situation {
  /** Where the server is written, or would be: `authorization_servers.github`. */
  readonly place: string
  /** The settings with which nobody is asked any more. */
  readonly endpoints: string
  /** As written; undefined: the upstream names the server. */
  readonly issuer: string | undefined
  /** Whom the upstream names; undefined: nobody, or it has not come to that. */
  readonly named: string | undefined
}

type Hint = (situation: Situation, detail: LogDetail) => string

const writeThem = ({ place, endpoints }: Situation) => `write ${endpoints} under ${place}.`
const writeEndpoints = (situation: Situation) => `W${writeThem(situation).slice(1)}`

/** The gateway asks the upstream with an issuer in the file too, for `resource` and scope. */
const issuerIsNotEnough = (situation: Situation) =>
  `${writeEndpoints(situation)} An issuer alone does not help: the upstream is asked all the same.`

const DISTRUSTED: Readonly<Record<Distrust, Hint>> = {
  another_resource: (situation, { found }) =>
    isWebAddress(String(found))
      ? `If that is the upstream's real URL, write it as the route's upstream. If not, ${writeThem(situation)}`
      : issuerIsNotEnough(situation),
  no_server_named: issuerIsNotEnough,
  no_resource_metadata: issuerIsNotEnough,
  server_is_no_url: ({ place }) => `Write issuer under ${place}.`,
  no_server_metadata: unpublished,
  another_issuer: anotherIssuer,
  no_s256: (situation) => `If it supports PKCE with S256 and only does not say so, ${writeThem(situation)}`,
  no_endpoint: writeEndpoints,
  own_server: ownServer,
}

function unpublished(situation: Situation): string {
  const { place, endpoints, issuer, named } = situation
  if (issuer !== undefined) return `Check issuer. If it is right, ${writeThem(situation)}`
  return named === undefined ? `Write issuer, or ${endpoints}, under ${place}.` : writeEndpoints(situation)
}

/** Such an upstream may be one that the gateway's callers need no account at. */
function ownServer({ place, issuer }: Situation): string {
  const server = `the issuer of its own server under ${place}.`
  return issuer === undefined
    ? `If it takes the gateway's callers without a token, write auth: none. If not, write ${server}`
    : `Write ${server}`
}

function anotherIssuer(situation: Situation, { expected, found }: LogDetail): string {
  const stated = String(found)
  if (!isWebAddress(stated)) return `Ask whoever runs it to correct its metadata. Or ${writeThem(situation)}`
  const write = `write issuer: ${stated} under ${situation.place}.`
  return withoutSlash(String(expected)) === withoutSlash(stated)
    ? `One slash makes another issuer: ${write}`
    : `If that is the server you mean, ${write} If not, do not use it.`
}

/** By the guard. */
const REFUSED: Readonly<Record<string, Hint>> = {
  private_address: (situation) =>
    situation.named === undefined
      ? issuerIsNotEnough(situation)
      : `If you trust it, write issuer: ${situation.named} under ${situation.place}.`,
  scheme: (situation) =>
    `Ask whoever runs it for an https address. If you trust it as it is, ${writeThem(situation)}`,
}

export function hintFor(error: unknown, situation: Situation): string {
  if (!(error instanceof UpstreamError)) return 'Run doctor again.'
  const { fault, detail } = error
  const hint = hintOf(detail)
  if (hint !== undefined) return hint(situation, detail)
  if (fault === 'unavailable') return 'It is down or overloaded: run doctor again later.'
  if (fault === 'bad_response') return `Ask whoever runs it. Or ${writeThem(situation)}`
  return adviceFor(error)
}

function hintOf({ distrust, reason }: LogDetail): Hint | undefined {
  return distrust === undefined ? REFUSED[String(reason)] : DISTRUSTED[distrust as Distrust]
}

const withoutSlash = (url: string) => url.replace(/\/$/, '')
