// Rules about how the gateway shows at an upstream authorization server that it is its client.
import { privateKeyFault } from '../../upstream/private-key.ts'
import type { AuthorizationServerConfig } from '../types.ts'
import { type Rule, serversOf, type Violation } from './rule.ts'

type Fault = Pick<Violation, 'message' | 'hint'>

const SECRET_METHODS: readonly string[] = ['client_secret_basic', 'client_secret_post']

const credentialAndMethod: Rule = {
  id: 'authorization-server/client-authentication',
  severity: 'error',
  *check(facts) {
    for (const { pointer, server } of serversOf(facts)) {
      const method = methodMistake(server)
      if (method) yield { pointer: `${pointer}/token_endpoint_auth_method`, ...method }
      const key = keyMistake(server)
      if (key) yield { pointer: `${pointer}/private_key`, ...key }
      if (server.private_key_id !== undefined && server.private_key === undefined)
        yield {
          pointer: `${pointer}/private_key_id`,
          message: 'a private_key_id belongs to a private_key',
          hint: 'Add private_key, or remove it.',
        }
    }
  },
}

function methodMistake({
  client_id: id,
  registration: ways,
  client_secret: secret,
  private_key: key,
  token_endpoint_auth_method: method,
}: AuthorizationServerConfig): Fault | undefined {
  if (method === undefined) return undefined
  const wantsSecret = SECRET_METHODS.includes(method)
  // Whoever registers is given one.
  const registers = id === undefined && (ways?.includes('dynamic') ?? true)
  if (wantsSecret && secret === undefined && !registers) {
    const other = key === undefined ? 'none' : 'private_key_jwt'
    return { message: `${method} needs a client_secret`, hint: `Add client_secret, or write ${other}.` }
  }
  const idle =
    !wantsSecret && secret !== undefined
      ? 'client_secret'
      : method !== 'private_key_jwt' && key !== undefined
        ? 'private_key'
        : undefined
  if (idle === undefined) return undefined
  const verb = idle === 'client_secret' ? 'sends' : 'uses'
  return { message: `${method} never ${verb} the ${idle}`, hint: 'Remove one of the two.' }
}

function keyMistake({
  client_id: id,
  client_id_metadata_url: document,
  client_secret: secret,
  private_key: key,
  token_endpoint_auth_method: method,
}: AuthorizationServerConfig): Fault | undefined {
  if (key === undefined) return undefined
  if (id === undefined && document === undefined)
    return { message: 'a private_key belongs to a client_id', hint: 'Add client_id.' }
  return secret !== undefined && method === undefined
    ? { message: 'it stands beside a client_secret', hint: 'Remove one of the two.' }
    : undefined
}

const privateKey: Rule = {
  id: 'authorization-server/private-key',
  severity: 'error',
  *check(facts) {
    for (const { pointer, server } of serversOf(facts)) {
      const at = `${pointer}/private_key`
      if (server.private_key === undefined || !facts.known(at)) continue
      const message = privateKeyFault(server.private_key)
      if (message)
        yield { pointer: at, message, hint: 'Write ${file:/path/to/it.pem}, with a key such as EC P-256.' }
    }
  },
}

const registration: Rule = {
  id: 'authorization-server/registration',
  severity: 'error',
  *check(facts) {
    for (const { pointer, server } of serversOf(facts)) {
      const { client_id: id, client_id_metadata_url: document, registration: ways } = server
      const at = `${pointer}/client_id_metadata_url`
      if (ways.length === 0 && id === undefined)
        yield {
          pointer: `${pointer}/registration`,
          message: 'the gateway cannot make itself known',
          hint: 'Add client_id, or a way: cimd, dynamic.',
        }
      if (document === undefined || !facts.known(at)) continue
      if (id !== undefined)
        yield {
          pointer: at,
          message: 'client_id says already who the gateway is',
          hint: 'Remove one of the two.',
        }
      // The document's address is the client_id, and a client_id of this kind is https (CIMD draft §3).
      else if (!document.startsWith('https:'))
        yield { pointer: at, message: 'a metadata document is served over https', hint: 'Use https.' }
    }
  },
}

export const clientIdentityRules = [credentialAndMethod, privateKey, registration]
