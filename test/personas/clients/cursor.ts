// Cursor: one registration with three redirect URIs, of which the desktop application uses its own scheme.
import type { Persona } from '../persona.ts'
import { GRANTS, RESOURCE_AT_PATH, RESOURCE_AT_ROOT, SERVER_AT_ROOT } from './places.ts'

const DESKTOP = 'cursor://anysphere.cursor-mcp/oauth/callback'
const AGENTS = 'https://www.cursor.com/agents/mcp/oauth/callback'
const LOCAL = 'http://localhost:8787/callback'

const base = {
  discovery: {
    resource: [RESOURCE_AT_PATH, RESOURCE_AT_ROOT],
    server: [SERVER_AT_ROOT],
    checksIssuer: false,
  },
  identity: {
    by: 'registration',
    metadata: {
      client_name: 'Cursor',
      redirect_uris: [DESKTOP, AGENTS, LOCAL],
      ...GRANTS,
      token_endpoint_auth_method: 'none',
    },
  },
  authMethod: 'none',
  scope: ['resource'],
  resource: 'document',
  protocolVersion: '2025-06-18',
} satisfies Partial<Persona>

export const cursor: readonly Persona[] = [
  {
    ...base,
    name: 'Cursor on the desktop',
    shows: 'spec-A4, spec-A8, spec-C11',
    redirectUri: DESKTOP,
    // Seen to leave it out.
    state: 'none',
  },
  { ...base, name: 'Cursor agents', shows: 'spec-A3, spec-C11', redirectUri: AGENTS },
]
