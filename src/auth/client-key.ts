// The key that signs the gateway's client assertions at an authorization server: the one in the configuration, or its own.
import type { AuthorizationServerConfig } from '../config/types.ts'
import { importPrivateKey } from '../upstream/private-key.ts'
import type { ClientAssertion } from '../upstream/server.ts'
import type { AuthDeps } from './context.ts'

/** `kid`: the gateway's own key that the server was told of by value; without it the one that signs now. */
export type ClientKey = (kid?: string) => ReturnType<ClientAssertion['key']>

type KeySettings = Pick<AuthorizationServerConfig, 'private_key' | 'private_key_id'>

export function clientKey(
  { private_key: pem, private_key_id: kid }: KeySettings,
  { signingKeys }: Pick<AuthDeps, 'signingKeys'>,
): ClientKey {
  if (pem === undefined)
    return async (known) =>
      (known === undefined ? undefined : await signingKeys.named(known)) ?? signingKeys.current()
  return writtenKey(pem, kid)
}

export function writtenKey(pem: string, kid: string | undefined): ClientKey {
  let imported: ReturnType<ClientKey> | undefined
  return () => {
    imported ??= importPrivateKey(pem).then((key) => ({ key, ...(kid !== undefined && { kid }) }))
    return imported
  }
}
