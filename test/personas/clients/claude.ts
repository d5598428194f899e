// Claude on the web, on phones and in the desktop application: one caller on its vendor's servers.
import type { Discovery, Persona } from '../persona.ts'
import { CLIENT_SECRET } from '../scene.ts'
import { BY_THE_BOOK, GRANTS, RESOURCE_AT_PATH, RESOURCE_AT_ROOT, SERVER_AT_ROOT } from './places.ts'

const redirectUri = 'https://claude.ai/api/mcp/auth_callback'

/** It asks for both documents, and gives up when one of them is not there. */
const discovery: Discovery = {
  demands: [RESOURCE_AT_PATH, RESOURCE_AT_ROOT],
  resource: BY_THE_BOOK,
  server: [SERVER_AT_ROOT],
  checksIssuer: true,
}

const base = {
  discovery,
  redirectUri,
  scope: ['challenge', 'resource', 'server'],
  resource: 'document',
  protocolVersion: '2025-11-25',
} satisfies Partial<Persona>

export const claude: readonly Persona[] = [
  {
    ...base,
    name: 'Claude on the web, by its document',
    shows: 'spec-C1, spec-C3, spec-C7, spec-D2',
    identity: {
      by: 'document',
      path: '/oauth/mcp-oauth-client-metadata',
      document: {
        client_name: 'Claude',
        client_uri: 'https://claude.ai',
        redirect_uris: [redirectUri, 'https://claude.com/api/mcp/auth_callback'],
        ...GRANTS,
        token_endpoint_auth_method: 'none',
      },
    },
    authMethod: 'none',
  },
  {
    ...base,
    name: 'Claude Desktop, registered with a secret',
    // It registers for this method whatever the metadata lists, and a refusal ends in "Couldn't register".
    shows: 'spec-C9, spec-C13, spec-T6, spec-A9, spec-A10',
    identity: {
      by: 'registration',
      metadata: {
        client_name: 'Claude',
        redirect_uris: [redirectUri],
        ...GRANTS,
        token_endpoint_auth_method: 'client_secret_post',
        scope: 'claudeai',
      },
    },
    authMethod: 'client_secret_post',
    addsScope: 'claudeai',
    resource: 'slash',
    registersAnew: true,
  },
  {
    ...base,
    name: 'Claude on the web, with id and secret entered by a person',
    shows: 'spec-C12, spec-T6',
    identity: { by: 'configuration', clientId: 'claude-of-our-team', secret: CLIENT_SECRET },
    authMethod: 'client_secret_post',
  },
]
