// Configures panva's oidc-provider as the demo's authorization server. It serves no pages: see sign-in.mjs.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createMemoryAdapter } from './memory-adapter.mjs'

const DEFAULT_REDIRECT_URIS = [
  'http://localhost:8002/upstream/callback/demo',
  'http://127.0.0.1:8002/upstream/callback/demo',
]

export async function createAuthorizationServer({
  issuer,
  resource,
  clients = [],
  redirectUris = DEFAULT_REDIRECT_URIS,
  accessTokenTtlSeconds = 3600,
  rotateRefreshTokens = true,
  file,
}) {
  const { Provider, errors } = await importProvider()

  const describeResource = (_context, indicator) => {
    if (indicator !== resource) throw new errors.InvalidTarget()
    return { scope: 'tools', audience: resource, accessTokenFormat: 'opaque' }
  }

  const provider = new Provider(issuer, {
    adapter: createMemoryAdapter(file),
    jwks: { keys: [signingKey()] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    clients: [gatewayClient(redirectUris), ...clients],
    scopes: ['openid', 'offline_access', 'tools'],
    responseTypes: ['code'],
    pkce: { required: () => true },
    routes: {
      authorization: '/authorize',
      token: '/token',
      registration: '/register',
      revocation: '/revoke',
    },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_context, _client, oneOf) => oneOf ?? resource,
        useGrantedResource: () => true,
        getResourceServerInfo: describeResource,
      },
    },
    interactions: { url: (_context, interaction) => `/sign-in/${interaction.uid}` },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    issueRefreshToken: (_context, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: () => rotateRefreshTokens,
    expiresWithSession: () => false,
    clientBasedCORS: () => false,
    renderError: (context, { error }) => {
      context.type = 'text'
      context.body = `The demo authorization server refused this request: ${error}\n`
    },
    ttl: {
      AccessToken: accessTokenTtlSeconds,
      AuthorizationCode: 60,
      Grant: 14 * 86_400,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: 14 * 86_400,
      Session: 14 * 86_400,
    },
  })
  // RFC 6749 §3.3: without a scope the server takes its default.
  provider.use((context, next) => {
    if (context.path === '/authorize' && !context.query.scope) {
      context.query = { ...context.query, scope: 'tools' }
    }
    return next()
  })
  return provider
}

// `native` because its redirect URIs are on loopback: the gateway may then run on any port (RFC 8252 §7.3).
const gatewayClient = (redirectUris) => ({
  client_id: 'demo-gateway',
  client_name: 'The gateway',
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  redirect_uris: redirectUris,
})

function signingKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'demo' }
}

// Its latest releases say on import that Node 20 is unsupported; they run on it, and a demo should start quietly.
async function importProvider() {
  const { warn } = console
  console.warn = () => {}
  try {
    return await import('oidc-provider')
  } finally {
    console.warn = warn
  }
}
