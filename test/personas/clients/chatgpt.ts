// ChatGPT: a redirect URI for each connector, and a document with a key where the server takes one.
import type { Persona } from '../persona.ts'
import { CLIENT_SECRET } from '../scene.ts'
import { BY_THE_BOOK, GRANTS, OPENID_AT_PATH, SERVER_AT_PATH } from './places.ts'

const CONNECTOR = 'https://chatgpt.com/connector/oauth/kDmjx77UnKOM'

const base = {
  discovery: { resource: BY_THE_BOOK, server: [SERVER_AT_PATH, OPENID_AT_PATH], checksIssuer: true },
  redirectUri: CONNECTOR,
  scope: ['challenge', 'resource'],
  resource: 'document',
  protocolVersion: '2025-11-25',
} satisfies Partial<Persona>

export const chatgpt: readonly Persona[] = [
  {
    ...base,
    name: 'ChatGPT, by its document, with a signed assertion',
    shows: 'spec-C3, spec-C4',
    identity: {
      by: 'document',
      path: '/oauth/kDmjx77UnKOM/client.json',
      document: {
        client_name: 'ChatGPT',
        client_uri: 'https://chatgpt.com/',
        logo_uri: 'https://persistent.oaistatic.com/sonic/misc/openai-logo.png',
        redirect_uris: [CONNECTOR],
        ...GRANTS,
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
        token_endpoint_auth_signing_alg: 'RS256',
      },
    },
    authMethod: 'private_key_jwt',
  },
  {
    ...base,
    name: 'ChatGPT, registered for one connector',
    shows: 'spec-C9',
    identity: {
      by: 'registration',
      metadata: {
        client_name: 'ChatGPT',
        redirect_uris: [CONNECTOR],
        ...GRANTS,
        token_endpoint_auth_method: 'none',
      },
    },
    authMethod: 'none',
  },
  {
    ...base,
    name: 'ChatGPT, with id and secret entered by a person, at its older address',
    shows: 'spec-C12, spec-T6',
    identity: { by: 'configuration', clientId: 'chatgpt-of-our-team', secret: CLIENT_SECRET },
    authMethod: 'client_secret_basic',
    redirectUri: 'https://chatgpt.com/connector_platform_oauth_redirect',
  },
]
