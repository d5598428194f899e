// Where an authorization server that the upstream names may send its answers. The first one has the route's own callback;
// each that the upstream names later has one for itself, or an answer of one could be passed off as another's
// (mix-up, RFC 9700 §4.4.2; sec-C10): with the gateway's code and verifier, and a `resource` of its own choice.
import { hashToken } from '../oauth/tokens.ts'
import { FORMAT } from '../store/records.ts'
import { update } from '../store/update.ts'
import type { AuthDeps } from './context.ts'
import { type OwnClientInput, signsIn } from './own-client.ts'

interface FirstIssuer {
  readonly v: typeof FORMAT
  readonly issuer: string
}

/** Out of anybody's reach to find two issuers with the same. */
const TAG_CHARACTERS = 22

/** `redirectUri`: the route's own. Where the operator said who the server is or what it knows, that is the one. */
export async function redirectUriAt(
  issuer: string,
  configuredIssuer: string | undefined,
  ownClient: OwnClientInput,
  { store }: Pick<AuthDeps, 'store'>,
): Promise<string> {
  const { redirectUri, hostedDocumentUrl } = ownClient
  if (configuredIssuer !== undefined || hostedDocumentUrl !== undefined || !signsIn(ownClient))
    return redirectUri
  const first = await update<FirstIssuer>(store, `first-issuer/${hashToken(redirectUri)}`, (current) =>
    current === undefined ? { value: { v: FORMAT, issuer } } : undefined,
  )
  return first?.issuer === issuer
    ? redirectUri
    : `${redirectUri}~${hashToken(issuer).slice(0, TAG_CHARACTERS)}`
}
