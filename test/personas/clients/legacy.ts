// Clients of the revision 2025-03-26, which knows no resources: the authorization server is at the root of the origin.
import type { Persona } from '../persona.ts'
import { GRANTS, SERVER_AT_ROOT } from './places.ts'

const redirectUri = 'http://127.0.0.1:41870/callback'

const base = {
  identity: {
    by: 'registration',
    metadata: {
      client_name: 'A client of 2025-03-26',
      redirect_uris: [redirectUri],
      ...GRANTS,
      token_endpoint_auth_method: 'none',
    },
  },
  authMethod: 'none',
  redirectUri,
  scope: [],
  resource: 'none',
  protocolVersion: '2025-03-26',
} satisfies Partial<Persona>

export const legacy: readonly Persona[] = [
  {
    ...base,
    name: 'a client of 2025-03-26',
    shows: 'spec-D13, spec-A9',
    discovery: { resource: [], server: [SERVER_AT_ROOT], checksIssuer: false },
  },
  {
    ...base,
    name: 'a client of 2025-03-26 that assumes the endpoints',
    shows: 'spec-D13, spec-A9',
    discovery: { resource: [], server: [], checksIssuer: false },
  },
]
