// As which client the gateway appears at a discovered authorization server where none is configured: by a metadata document,
// or by registering; the first way that the server takes (spec-U5).
import { UpstreamError } from '../errors.ts'
import { KEY_SET_PATH } from '../oauth/own-address.ts'
import { canFetchFrom } from '../upstream/client-metadata.ts'
import type { Trust } from '../upstream/http.ts'
import { registerClient, takesOwnAssertions, type UpstreamRegistration } from '../upstream/register.ts'
import type { UpstreamAuthMethod } from '../upstream/server.ts'
import type { ServerMetadata } from '../upstream/server-metadata.ts'
import type { AuthDeps } from './context.ts'
import type { Registrations } from './registrations.ts'

export interface OwnClientInput {
  /** In the order in which they are tried. */
  readonly ways: readonly ('cimd' | 'dynamic')[]
  /** Where the gateway serves its document. */
  readonly documentUrl: string
  /** Where the operator hosts one instead. */
  readonly hostedDocumentUrl: string | undefined
  /** The configuration's; undefined: what fits the server. */
  readonly authMethod: UpstreamAuthMethod | undefined
  readonly clientName: string
  readonly redirectUri: string
  /** What the gateway asks that server's token endpoint for. */
  readonly grantTypes: readonly string[]
}

/** Whether people are sent there, and not only the gateway asks for tokens. */
export function signsIn({ grantTypes }: Pick<OwnClientInput, 'grantTypes'>): boolean {
  return grantTypes.includes('authorization_code')
}

interface Question {
  readonly input: OwnClientInput
  readonly metadata: ServerMetadata
  readonly trust: Trust
  readonly scope: string | undefined
  readonly registrations: Registrations
  readonly deps: AuthDeps
}

/** Throws UpstreamError when the server takes none of the ways. */
export async function ownClientAt(question: Question): Promise<UpstreamRegistration> {
  const { input, metadata, deps } = question
  const introduction = introductionTo(input, metadata)
  if (introduction === undefined) return registeredBefore(question)
  if (introduction.way === 'dynamic') return register(question, introduction.registrationEndpoint)
  const { clientId, authMethod } = introduction
  // The server may fetch the key set before the first assertion is signed: by then there has to be a key in it.
  if (authMethod === 'private_key_jwt') await deps.signingKeys.current()
  return { clientId, clientSecret: undefined, authMethod }
}

/** A server that takes no more registrations knows the one that it took. */
function registeredBefore(question: Question): Promise<UpstreamRegistration> {
  const { input, metadata, registrations } = question
  const refused = new UpstreamError('bad_response', refusal(question), { issuer: metadata.issuer })
  return input.ways.includes('dynamic')
    ? registrations.at(metadata.issuer, () => Promise.reject(refused))
    : Promise.reject(refused)
}

/** As whom the gateway can appear at a server. */
export type Introduction =
  | { readonly way: 'cimd'; readonly clientId: string; readonly authMethod: UpstreamAuthMethod }
  | { readonly way: 'dynamic'; readonly registrationEndpoint: string }

type Introduce = (input: OwnClientInput, metadata: ServerMetadata) => Introduction | undefined

/** The first way that the server takes; undefined: none. */
export const introductionTo: Introduce = (input, metadata) => {
  for (const way of input.ways) {
    const found = WAYS[way](input, metadata)
    if (found !== undefined) return found
  }
  return undefined
}

const WAYS: Readonly<Record<OwnClientInput['ways'][number], Introduce>> = {
  cimd: byDocument,
  dynamic: (_input, { registrationEndpoint }) =>
    registrationEndpoint === undefined ? undefined : { way: 'dynamic', registrationEndpoint },
}

function byDocument(input: OwnClientInput, metadata: ServerMetadata): Introduction | undefined {
  if (metadata.clientDocuments !== true) return undefined
  const { hostedDocumentUrl: hosted, documentUrl } = input
  if (hosted === undefined && !canFetchFrom(documentUrl, metadata.issuer)) return undefined
  const fitting = hosted === undefined && takesOwnAssertions(metadata) ? 'private_key_jwt' : 'none'
  const authMethod = input.authMethod ?? fitting
  // RFC 6749 §4.4: that grant is for clients that authenticate.
  if (authMethod === 'none' && input.grantTypes.includes('client_credentials')) return undefined
  return { way: 'cimd', clientId: hosted ?? documentUrl, authMethod }
}

async function register(question: Question, registrationEndpoint: string): Promise<UpstreamRegistration> {
  const { input, metadata, trust, scope, registrations, deps } = question
  return registrations.at(metadata.issuer, async () =>
    registerClient(
      deps.http,
      { ...metadata, registrationEndpoint },
      trust,
      {
        clientName: input.clientName,
        redirectUris: signsIn(input) ? [input.redirectUri] : [],
        scope,
        grantTypes: input.grantTypes,
        keys: await keysFor(question),
      },
      deps.now(),
    ),
  )
}

/** By address where the server can fetch it, because keys change; else by value. */
async function keysFor({
  input: { documentUrl },
  metadata,
  deps,
}: Question): Promise<Readonly<Record<string, unknown>>> {
  return canFetchFrom(documentUrl, metadata.issuer)
    ? { jwks_uri: new URL(KEY_SET_PATH, documentUrl).href }
    : { jwks: await deps.signingKeys.published() }
}

function refusal({ input, metadata }: Question): string {
  const wouldTakeDocument = metadata.clientDocuments === true && input.ways.includes('cimd')
  return wouldTakeDocument
    ? 'the upstream takes no registrations, and cannot fetch a metadata document from here: give this gateway a public https URL, or create a client there and write its client_id into the configuration'
    : 'the upstream takes no registrations: create a client there and write its client_id into the configuration'
}
