// mcp-remote: a bridge for clients without HTTP; the port of its redirect URI comes from a hash of the URL.
import type { Persona } from '../persona.ts'
import { BY_THE_BOOK, GRANTS, OPENID_AT_PATH, SERVER_AT_PATH } from './places.ts'

export const mcpRemote: readonly Persona[] = [
  {
    name: 'mcp-remote with the scopes it falls back to',
    shows: 'spec-A9, spec-A10',
    discovery: { resource: BY_THE_BOOK, server: [SERVER_AT_PATH, OPENID_AT_PATH], checksIssuer: true },
    identity: {
      by: 'registration',
      metadata: {
        client_name: 'MCP CLI Proxy',
        client_uri: 'https://github.com/modelcontextprotocol/mcp-cli',
        software_id: '2e6dc280-f3c3-4e01-99a7-8181dbd1d23d',
        software_version: '0.15.1',
        redirect_uris: ['http://localhost:21817/oauth/callback'],
        ...GRANTS,
        token_endpoint_auth_method: 'none',
        scope: 'openid email profile',
      },
    },
    authMethod: 'none',
    redirectUri: 'http://localhost:21817/oauth/callback',
    scope: [{ always: 'openid email profile' }],
    resource: 'typed',
    protocolVersion: '2025-06-18',
  },
]
