// VS Code: takes a resource's document only if it names exactly the URL that was entered.
import type { Persona } from '../persona.ts'
import { BY_THE_BOOK, GRANTS, SERVERS } from './places.ts'

const WEB = 'https://vscode.dev/redirect'
const REDIRECTS = [
  'https://insiders.vscode.dev/redirect',
  WEB,
  'http://127.0.0.1/',
  'http://127.0.0.1:33418/',
]

const base = {
  discovery: { resource: BY_THE_BOOK, resourceMust: 'equal', server: SERVERS, checksIssuer: true },
  authMethod: 'none',
  scope: ['challenge', 'resource'],
  resource: 'document',
  protocolVersion: '2025-11-25',
} satisfies Partial<Persona>

export const vscode: readonly Persona[] = [
  {
    ...base,
    name: 'VS Code, by its document',
    shows: 'spec-D3, spec-A8, spec-C1',
    identity: {
      by: 'document',
      path: '/oauth/client-metadata.json',
      document: {
        client_name: 'Visual Studio Code',
        client_uri: 'https://code.visualstudio.com',
        redirect_uris: REDIRECTS,
        grant_types: [...GRANTS.grant_types, 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
    },
    redirectUri: WEB,
    // Its own address, to which the page on the web hands over.
    state: 'vscode://dynamicauthprovider/localhost%3A8080/authorize?nonce=a%2Bb%2Fc%3D%3D&windowId=1',
  },
  {
    ...base,
    name: 'VS Code, registered, on another port than its usual one',
    shows: 'spec-A3, spec-C9, spec-C10, spec-C11, spec-D3',
    identity: {
      by: 'registration',
      metadata: {
        client_name: 'Visual Studio Code',
        client_uri: 'https://code.visualstudio.com',
        ...GRANTS,
        redirect_uris: REDIRECTS,
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
    },
    redirectUri: 'http://127.0.0.1:56187/',
  },
]
