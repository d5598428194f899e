// As whom the gateway appears at an authorization server that an upstream names. The first one knows it by the route's own
// callback and document; each that the upstream names later has one of each for itself. With the same for all, an upstream
// could pass an answer of one server off as another's (mix-up, RFC 9700 §4.4.2; sec-C10), and use the consent that
// people once gave there.
import { hashToken } from '../oauth/tokens.ts'
import { FORMAT, keys } from '../store/records.ts'
import { update } from '../store/update.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import type { AuthDeps } from './context.ts'
import { type OwnClientInput, signsIn } from './own-client.ts'

interface FirstIssuer {
  readonly v: typeof FORMAT
  readonly issuer: string
}

export interface NamedServer {
  readonly issuer: string
  /** The operator said so: then it is no upstream's choice. */
  readonly isConfigured: boolean
  /** What the upstream named before, if that is known. */
  readonly before: string | undefined
}

/** Out of anybody's reach to find two issuers with the same. */
const TAG_CHARACTERS = 22

export async function ownClientFor(
  { issuer, isConfigured, before = issuer }: NamedServer,
  ownClient: OwnClientInput,
  { store }: Pick<AuthDeps, 'store'>,
): Promise<OwnClientInput> {
  const { redirectUri, documentUrl, hostedDocumentUrl } = ownClient
  if (isConfigured || hostedDocumentUrl !== undefined || !signsIn(ownClient)) return ownClient
  const first = await update<FirstIssuer>(store, keys.firstIssuer(hashToken(redirectUri)), (current) =>
    current === undefined ? { value: { v: FORMAT, issuer: before } } : undefined,
  )
  if (first?.issuer === issuer) return ownClient
  const tag = `~${hashToken(issuer).slice(0, TAG_CHARACTERS)}`
  // What follows /upstream/callback itself has to be a name.
  const callback = redirectUri.endsWith('/upstream/callback') ? `${redirectUri}/` : redirectUri
  return { ...ownClient, redirectUri: callback + tag, documentUrl: documentUrl + tag }
}

/**
 * Whether the client of that server is the gateway's document for it, and not what a registration there was answered
 * with: a server may answer with any `client_id`, the one of the gateway at another server too.
 */
export function isOwnDocument(
  { clientId, redirectUri }: Pick<UpstreamServer, 'clientId' | 'redirectUri'>,
  ownClient: OwnClientInput,
): boolean {
  const tag = redirectUri.slice(ownClient.redirectUri.length).replace('/', '')
  return clientId === ownClient.documentUrl + tag
}
