// A real identity provider: panva's oidc-provider with sign-in pages, giving JWT access tokens (RFC 9068) for whatever
// resource a client names (RFC 8707).
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createMemoryAdapter } from '../../examples/demo-upstream/memory-adapter.mjs'
import { createSignInPages } from '../../examples/demo-upstream/sign-in.mjs'

const HOUR = 3600

export async function startIdentityProvider() {
  let handle = () => {}
  const server = createServer((request, response) => handle(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${server.address().port}`
  const { Provider } = await importQuietly()
  const provider = new Provider(issuer, configuration())
  const [callback, signIn] = [provider.callback(), createSignInPages(provider)]
  handle = (request, response) =>
    request.url.startsWith('/sign-in/') ? signIn(request, response) : callback(request, response)
  const close = async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return { issuer, close }
}

const configuration = () => ({
  adapter: createMemoryAdapter(),
  jwks: { keys: [signingKey()] },
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  scopes: ['openid', 'offline_access', 'mcp.read'],
  responseTypes: ['code'],
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, audience) => ({
        scope: 'mcp.read',
        audience,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  extraTokenClaims: () => ({ groups: ['staff'] }),
  interactions: { url: (_context, interaction) => `/sign-in/${interaction.uid}` },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: (_context, client) => client.grantTypeAllowed('refresh_token'),
  clientBasedCORS: () => false,
  ttl: {
    AccessToken: HOUR,
    AuthorizationCode: 60,
    Grant: HOUR,
    IdToken: HOUR,
    Interaction: HOUR,
    RefreshToken: HOUR,
    Session: HOUR,
  },
})

function signingKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'idp' }
}

/** On import it warns of Node 20, where it runs all the same. */
async function importQuietly() {
  const { warn } = console
  console.warn = () => {}
  try {
    return await import('oidc-provider')
  } finally {
    console.warn = warn
  }
}
