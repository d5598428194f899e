// As which client the gateway appears at a discovered authorization server where none is configured: by a metadata document,
// or by registering; the first way that the server takes (spec-U5).
import { errorFields, UpstreamError } from '../errors.ts'
import { KEY_SET_PATH } from '../oauth/own-address.ts'
import { canFetchFrom } from '../upstream/client-metadata.ts'
import type { Trust } from '../upstream/http.ts'
import { registerClient, takesOwnAssertions, type UpstreamRegistration } from '../upstream/register.ts'
import type { UpstreamAuthMethod } from '../upstream/server.ts'
import type { ServerMetadata } from '../upstream/server-metadata.ts'
import type { AuthDeps } from './context.ts'
import type { Needed, Registrations } from './registrations.ts'

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
  /** Undefined: nothing is known, or it was disowned there. */
  readonly lastClientId: string | undefined
  readonly scopes: readonly string[]
  /** Those of them that it is no use without. */
  readonly least: readonly string[]
  /** Given where the server keeps that client to less than these scopes. */
  readonly takes: Needed['takes']
  readonly registrations: Registrations
  readonly deps: AuthDeps
}

/** Throws UpstreamError when the server takes none of the ways. */
export async function ownClientAt(question: Question): Promise<UpstreamRegistration> {
  const { input, metadata } = question
  const kept = await keptClient(question)
  if (kept !== undefined) return kept
  const introduction = introductionTo(input, metadata)
  if (introduction?.way === 'cimd') return documented(introduction, question)
  if (introduction?.way === 'dynamic') return registered(question, introduction.registrationEndpoint)
  // A server that takes no more registrations knows the one that it took.
  const held = await heldAt(question)
  if (held !== undefined) return held
  throw new UpstreamError('bad_response', refusal(question), { issuer: metadata.issuer })
}

/**
 * Links belong to the client that they were made for: that the server has begun to take a better way, or no longer says
 * that it takes this one, must not sign everybody out (design §6.9). A client that it refuses is not kept.
 */
async function keptClient(question: Question): Promise<UpstreamRegistration | undefined> {
  const { input, metadata, lastClientId } = question
  if (lastClientId === undefined) return undefined
  const document = signsIn(input) && input.ways.includes('cimd') ? documentClient(input, metadata) : undefined
  if (document?.clientId === lastClientId) return documented(document, question)
  const held = await heldAt(question)
  const { registrationEndpoint } = metadata
  if (held === undefined || registrationEndpoint === undefined) return held
  return registered(question, registrationEndpoint).catch((error: unknown) => {
    if (!(error instanceof UpstreamError)) throw error
    const { issuer } = metadata
    question.deps.log.warn('not registered anew at the upstream, the client stays', {
      issuer,
      ...errorFields(error),
    })
    return held
  })
}

async function heldAt({
  input,
  metadata,
  registrations,
}: Question): Promise<UpstreamRegistration | undefined> {
  return input.ways.includes('dynamic') ? registrations.held(metadata.issuer) : undefined
}

async function documented(
  { clientId, authMethod }: DocumentClient,
  { deps }: Question,
): Promise<UpstreamRegistration> {
  // The server may fetch the key set before the first assertion is signed: by then there has to be a key in it.
  if (authMethod === 'private_key_jwt') await deps.signingKeys.current()
  return { clientId, clientSecret: undefined, authMethod }
}

/** As whom the gateway can appear at a server. */
export type Introduction = DocumentClient | { readonly way: 'dynamic'; readonly registrationEndpoint: string }

interface DocumentClient {
  readonly way: 'cimd'
  readonly clientId: string
  readonly authMethod: UpstreamAuthMethod
}

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
  cimd: (input, metadata) =>
    metadata.clientDocuments === true ? documentClient(input, metadata) : undefined,
  dynamic: (_input, { registrationEndpoint }) =>
    registrationEndpoint === undefined ? undefined : { way: 'dynamic', registrationEndpoint },
}

function documentClient(input: OwnClientInput, metadata: ServerMetadata): DocumentClient | undefined {
  const { hostedDocumentUrl: hosted, documentUrl } = input
  if (hosted === undefined && !canFetchFrom(documentUrl, metadata.issuer)) return undefined
  const fitting = hosted === undefined && takesOwnAssertions(metadata) ? 'private_key_jwt' : 'none'
  const authMethod = input.authMethod ?? fitting
  // Nobody could have agreed on a secret with a client that is known by a public document (draft §4.1).
  if (authMethod === 'client_secret_basic' || authMethod === 'client_secret_post') return undefined
  // RFC 6749 §4.4: that grant is for clients that authenticate.
  if (authMethod === 'none' && input.grantTypes.includes('client_credentials')) return undefined
  return { way: 'cimd', clientId: hosted ?? documentUrl, authMethod }
}

async function registered(question: Question, registrationEndpoint: string): Promise<UpstreamRegistration> {
  const { input, metadata, trust, scopes, least, takes, registrations, deps } = question
  const { authMethod } = input
  return registrations.at(metadata.issuer, { scopes, least, authMethod, takes }, async (wanted) => {
    const { keyId, ...keys } = await keysFor(question)
    const made = await registerClient(
      deps.http,
      { ...metadata, registrationEndpoint },
      trust,
      {
        clientName: input.clientName,
        redirectUris: signsIn(input) ? [input.redirectUri] : [],
        scopes: wanted,
        authMethod,
        grantTypes: input.grantTypes,
        keys,
      },
      deps.now(),
    )
    return made.authMethod === 'private_key_jwt' ? { ...made, keyId } : made
  })
}

/** By address where the server can fetch it, because keys change; else by value, and then the server knows no later one. */
async function keysFor({
  input: { documentUrl },
  metadata,
  deps: { signingKeys },
}: Question): Promise<Readonly<Record<string, unknown>> & { readonly keyId?: string }> {
  if (canFetchFrom(documentUrl, metadata.issuer)) return { jwks_uri: new URL(KEY_SET_PATH, documentUrl).href }
  const { kid: keyId } = await signingKeys.current()
  return { keyId, jwks: await signingKeys.published() }
}

function refusal({ input, metadata }: Question): string {
  const wouldTakeDocument = metadata.clientDocuments === true && input.ways.includes('cimd')
  return wouldTakeDocument
    ? 'the upstream takes no registrations, and cannot fetch a metadata document from here: give this gateway a public https URL, or create a client there and write its client_id into the configuration'
    : 'the upstream takes no registrations: create a client there and write its client_id into the configuration'
}
