// MCP Inspector: in a page that calls the gateway itself, and in a terminal.
import type { Persona } from '../persona.ts'
import { BY_THE_BOOK, GRANTS, SERVERS } from './places.ts'

const ORIGIN = 'http://localhost:6274'

const named = (redirectUri: string) =>
  ({
    redirectUri,
    identity: {
      by: 'registration',
      metadata: {
        client_name: 'MCP Inspector',
        client_uri: 'https://github.com/modelcontextprotocol/inspector',
        redirect_uris: [redirectUri],
        ...GRANTS,
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
    },
  }) satisfies Partial<Persona>

const base = {
  discovery: { resource: BY_THE_BOOK, server: SERVERS, checksIssuer: true },
  authMethod: 'none',
  // The last of these is why the server lists none.
  scope: ['challenge', 'resource', 'server'],
  resource: 'document',
  protocolVersion: '2025-11-25',
  revokes: true,
} satisfies Partial<Persona>

export const inspector: readonly Persona[] = [
  {
    ...base,
    ...named(`${ORIGIN}/oauth/callback`),
    name: 'MCP Inspector in a page, without its proxy',
    shows: 'spec-R7, spec-D14, spec-C10',
    origin: ORIGIN,
  },
  {
    ...base,
    ...named('http://127.0.0.1:6276/oauth/callback'),
    name: 'MCP Inspector in a terminal',
    shows: 'spec-C10, spec-T7',
  },
]
