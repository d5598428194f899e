// Codex: does not read the challenge when it logs in and says neither `resource` nor scope, so its person picks a server.
import type { Persona } from '../persona.ts'
import { GRANTS, SERVER_AT_PATH, SERVER_AT_ROOT, SERVER_BELOW_PATH } from './places.ts'

export const codex: readonly Persona[] = [
  {
    name: 'Codex',
    shows: 'spec-A9, spec-D7, spec-D12',
    discovery: {
      probes: [SERVER_AT_PATH, SERVER_BELOW_PATH],
      resource: [],
      server: [SERVER_AT_ROOT],
      checksIssuer: true,
    },
    identity: {
      by: 'registration',
      metadata: {
        client_name: 'Codex',
        redirect_uris: ['http://127.0.0.1:63546/callback/6MFBM1In3Ey-'],
        ...GRANTS,
        token_endpoint_auth_method: 'none',
      },
    },
    authMethod: 'none',
    redirectUri: 'http://127.0.0.1:63546/callback/6MFBM1In3Ey-',
    scope: [],
    resource: 'none',
    protocolVersion: '2025-06-18',
  },
]
