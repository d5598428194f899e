// Claude Code: a program on the person's computer. Its document names loopback addresses without a port and it listens on
// any; several processes share one refresh token.
import type { Persona } from '../persona.ts'
import { BY_THE_BOOK, GRANTS, SERVERS } from './places.ts'

const base = {
  discovery: { resource: BY_THE_BOOK, server: SERVERS, checksIssuer: true },
  authMethod: 'none',
  scope: ['challenge', 'resource'],
  resource: 'document',
  protocolVersion: '2025-11-25',
  processes: 4,
  revokes: true,
} satisfies Partial<Persona>

export const claudeCode: readonly Persona[] = [
  {
    ...base,
    name: 'Claude Code, by its document',
    shows: 'spec-A3, spec-A8, spec-C1, spec-T3',
    identity: {
      by: 'document',
      path: '/oauth/claude-code-client-metadata',
      document: {
        client_name: 'Claude Code',
        client_uri: 'https://claude.ai',
        redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
        ...GRANTS,
        token_endpoint_auth_method: 'none',
      },
    },
    redirectUri: 'http://localhost:52163/callback',
    addsScope: 'offline_access',
    extra: { prompt: 'consent' },
  },
  {
    ...base,
    name: 'Claude Code, registered',
    shows: 'spec-C9, spec-C10, spec-C13, spec-T3, spec-T7',
    identity: {
      by: 'registration',
      metadata: {
        client_name: 'Claude Code (docs)',
        redirect_uris: ['http://localhost:3118/callback'],
        ...GRANTS,
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
    },
    redirectUri: 'http://localhost:3118/callback',
    registersAnew: true,
  },
]
