// Finds the client of a request, wherever it is known: in the configuration, in its own sealed id, or in the document
// behind its URL. And makes sure that a request to the token endpoint really comes from it.
import { OAuthError } from '../errors.ts'
import type { Gateway } from '../gateway.ts'
import { isUnknownKey, verifyAssertion } from '../oauth/assertion.ts'
import {
  type Client,
  checkCredentials,
  describeDocument,
  describeRegistered,
  describeStatic,
  type KeySet,
  type PresentedCredentials,
  presentedCredentials,
} from '../oauth/client.ts'
import { isDocumentUrl, parseKeySet } from '../oauth/client-document.ts'
import type { Parameters } from '../oauth/parameters.ts'
import { hashToken } from '../oauth/tokens.ts'
import { FORMAT, keys } from '../store/records.ts'
import { ABSENT } from '../store/store.ts'
import type { Deps } from './endpoint.ts'

/** Undefined: this gateway does not know the client. Throws OAuthError when its document can't be used, or not now. */
export async function findClient(
  clientId: string,
  gateway: Gateway,
  deps: Deps,
): Promise<Client | undefined> {
  const known = gateway.staticClients.get(clientId)
  if (known !== undefined) return describeStatic(clientId, known)
  const { documents } = gateway.clientRules
  if (!isDocumentUrl(clientId, documents.privateHosts))
    return describeRegistered(clientId, gateway.issuer, deps.sealer)
  if (!documents.enabled || !isTrusted(new URL(clientId).hostname.replace(/\.$/, ''), documents))
    return undefined
  return describeDocument(clientId, await deps.clientDocuments.find(clientId, documents))
}

export interface AuthenticatedClient {
  readonly client: Client
  /** Comes before whatever is done or told for this client. Throws when somebody else was faster with the same assertion. */
  readonly spendAssertion: () => Promise<void>
}

/**
 * The client of a request to /token, /revoke or /introspect. Checked before anything is spent, so a stranger's attempt
 * leaves the code or refresh token as it was (sec-R8).
 */
export async function authenticateClient(
  authorization: string | undefined,
  parameters: Parameters,
  gateway: Gateway,
  deps: Deps,
): Promise<AuthenticatedClient> {
  const presented = presentedCredentials(authorization, parameters)
  const client = await findClient(presented.clientId, gateway, deps)
  if (client === undefined) throw new OAuthError('invalid_client', 'unknown client: register again')
  checkCredentials(client, presented)
  if (presented.method !== 'private_key_jwt') return { client, spendAssertion: async () => {} }
  return { client, spendAssertion: await checkAssertion(client, presented, gateway, deps) }
}

/** A name stands for itself and everything below it. `deny` wins; without `allow` everybody else is trusted. */
function isTrusted(hostname: string, { allow, deny }: Gateway['clientRules']['documents']): boolean {
  const listed = (domains: readonly string[]) =>
    domains.some((domain) => hostname === domain || hostname.endsWith(`.${domain}`))
  return !listed(deny) && (allow === undefined || listed(allow))
}

async function checkAssertion(
  client: Client,
  { proof = '' }: PresentedCredentials,
  gateway: Gateway,
  deps: Deps,
): Promise<AuthenticatedClient['spendAssertion']> {
  const { issuer } = gateway
  const audiences = [issuer, `${issuer}/token`, `${issuer}/revoke`, `${issuer}/introspect`]
  const verifyFor = async (owner: Client) =>
    verifyAssertion(proof, {
      clientId: owner.id,
      audiences,
      keys: await keysOf(owner, gateway, deps),
      nowMs: deps.now(),
    })
  const { jti, expiresAtMs } = await verifyFor(client).catch(async (error: unknown) => {
    const renewed = isUnknownKey(error) ? await withNewKeys(client, gateway, deps) : undefined
    if (renewed === undefined) throw error
    return verifyFor(renewed)
  })
  return spendOnce(keys.assertion(hashToken(JSON.stringify([client.id, jti]))), expiresAtMs, deps)
}

/**
 * RFC 7523 §3 item 7: an assertion that was used is worth nothing a second time. Being presented alone does not use it:
 * anybody may host a document with keys and sign without end, and each use is a record (sec-R2).
 */
async function spendOnce(
  key: string,
  expiresAtMs: number,
  { store }: Deps,
): Promise<AuthenticatedClient['spendAssertion']> {
  const usedBefore = () => new OAuthError('invalid_client', 'the client assertion was used before')
  if ((await store.get(key)) !== undefined) throw usedBefore()
  let spending: Promise<boolean> | undefined
  return async () => {
    spending ??= store.cas(key, ABSENT, { v: FORMAT }, { expiresAtMs })
    if (!(await spending)) throw usedBefore()
  }
}

/** The client as its site describes it by now: a key may be newer than our copy. Undefined: there is nothing to ask anew. */
async function withNewKeys(client: Client, gateway: Gateway, deps: Deps): Promise<Client | undefined> {
  const { id, keys } = client
  const address = keys !== undefined && 'uri' in keys ? keys.uri : id
  return deps.clientDocuments.expire(address) ? findClient(id, gateway, deps) : undefined
}

async function keysOf({ id, keys }: Client, gateway: Gateway, deps: Deps): Promise<KeySet> {
  if (keys === undefined) throw new OAuthError('invalid_client', 'this client has no keys')
  if ('inline' in keys) return { keys: keys.inline }
  const { documents } = gateway.clientRules
  // Where the configuration says that the keys of its own clients are, there they may be, also inside.
  const isConfigured = gateway.staticClients.has(id)
  const inside = isConfigured ? [new URL(keys.uri).hostname] : []
  const rules = { ...documents, privateHosts: [...documents.privateHosts, ...inside] }
  const namedBy = isConfigured ? 'configuration' : 'document'
  const text = await deps.clientDocuments.keys(keys.uri, rules, { clientId: id, namedBy })
  try {
    return { keys: parseKeySet(JSON.parse(text)) }
  } catch (error) {
    if (error instanceof OAuthError) throw error
    throw new OAuthError('invalid_client', 'the key set of this client is not JSON')
  }
}
