// Applications on the official SDKs, as these speak by default.
import type { Persona } from '../persona.ts'
import {
  BY_THE_BOOK,
  GRANTS,
  OPENID_AT_PATH,
  RESOURCE_AT_PATH,
  RESOURCE_AT_ROOT,
  SERVER_AT_PATH,
  SERVERS,
} from './places.ts'

const redirectUri = 'http://127.0.0.1:49321/callback'
const registered = (metadata: Readonly<Record<string, unknown>>) =>
  ({ by: 'registration', metadata: { redirect_uris: [redirectUri], ...GRANTS, ...metadata } }) as const

export const sdks: readonly Persona[] = [
  {
    name: 'the TypeScript SDK v1',
    // Names no method, so it gets the default of RFC 7591 and uses it without encoding.
    shows: 'spec-C9, spec-C10, spec-T5, spec-T6',
    discovery: { resource: ['challenge'], server: [SERVER_AT_PATH, OPENID_AT_PATH], checksIssuer: false },
    identity: registered({ client_name: 'A v1 application' }),
    authMethod: 'client_secret_basic',
    redirectUri,
    scope: ['challenge', 'resource'],
    resource: 'document',
    protocolVersion: '2025-11-25',
    registersAnew: true,
  },
  {
    name: 'the TypeScript SDK v2',
    shows: 'spec-D8, spec-D10, spec-C10, spec-T5',
    discovery: { resource: BY_THE_BOOK, server: SERVERS, checksIssuer: true },
    identity: registered({
      client_name: 'A v2 application',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    }),
    authMethod: 'none',
    redirectUri,
    scope: ['challenge', 'resource'],
    resource: 'document',
    protocolVersion: '2025-11-25',
    registersAnew: true,
  },
  {
    name: 'the Python SDK',
    shows: 'spec-D8, spec-C9, spec-T6',
    discovery: { resource: BY_THE_BOOK, server: [SERVER_AT_PATH, OPENID_AT_PATH], checksIssuer: true },
    identity: registered({ client_name: 'A Python application', application_type: 'native' }),
    authMethod: 'client_secret_basic',
    encodesBasic: true,
    redirectUri,
    scope: ['challenge', 'resource', 'server'],
    resource: 'document',
    protocolVersion: '2025-11-25',
  },
  {
    name: 'an older Python SDK, which reads no challenge and registers with a secret in the body',
    shows: 'spec-D2, spec-C9, spec-T6',
    discovery: {
      resource: [RESOURCE_AT_PATH, RESOURCE_AT_ROOT],
      server: [SERVER_AT_PATH, OPENID_AT_PATH],
      checksIssuer: false,
    },
    identity: registered({
      client_name: 'An older Python application',
      token_endpoint_auth_method: 'client_secret_post',
    }),
    authMethod: 'client_secret_post',
    redirectUri,
    scope: ['resource', 'server'],
    resource: 'document',
    protocolVersion: '2025-06-18',
  },
]
