// GENERATED from schema/ by `npm run generate`: the configuration after the pipeline. Do not edit.

/**
 * How the gateway authenticates to the upstream.
 */
export type AuthConfig =
  NoneAuth | ApiKeyAuth | AuthorizationCodeAuth | ClientCredentialsAuth | TokenExchangeAuth | UserApiKeyAuth
/**
 * Who may use a route: the word `anyone` (who signed in), or lists. Any list admits; `deny` wins. With `deny` alone, everyone else is admitted.
 */
export type AccessConfig = 'anyone' | AccessRules
/**
 * Where grants, sessions and upstream tokens are kept.
 */
export type StoreConfig = EmbeddedStore | MemoryStore

/**
 * mcp-oauth-gateway: who may sign in, which MCP servers stand behind the gateway, and how it signs in to each of them.
 */
export interface Config {
  /**
   * Version of this file's format.
   */
  readonly version: 1
  readonly server: ServerConfig
  readonly login: LoginConfig
  readonly tokens: TokensConfig
  readonly clients: ClientsConfig
  /**
   * Issuers besides the gateway whose tokens or assertions are taken, by name: see a route's `token_issuer`, and `id_jag`.
   */
  readonly trusted_issuers: {
    readonly [k: string]: TrustedIssuerConfig
  }
  /**
   * Upstream authorization servers that several routes may share, by name.
   */
  readonly authorization_servers: {
    readonly [k: string]: AuthorizationServerConfig
  }
  /**
   * The MCP servers behind the gateway, by name.
   */
  readonly routes: {
    readonly [k: string]: RouteConfig
  }
  /**
   * Sentences about this file that have to be true. `validate` and every reload check them, without a network; an edit that breaks one is refused. `METHOD PATH`, then `without token` or `as NAME`; or `user NAME on ROUTE`; or `client ID on ROUTE`; then `→` or `->`; then `allowed` or the gateway's status: 401, 403, 404, 405.
   */
  readonly tests: readonly string[]
  readonly store: StoreConfig
  readonly egress: EgressConfig
  readonly observability: ObservabilityConfig
}
/**
 * Where the gateway listens and under which URL clients know it.
 */
export interface ServerConfig {
  /**
   * Address or host name to listen on. The default listens on 127.0.0.1 and ::1 only.
   */
  readonly host: string
  /**
   * TCP port to listen on. 0 takes any free port.
   */
  readonly port: number
  /**
   * The origin that clients and browsers reach the gateway at; the issuer of its tokens. Needed when `host` is not loopback. Default: http://localhost and the port.
   */
  readonly public_url?: string
  /**
   * Web origins besides the gateway's own whose pages may call it from a browser.
   */
  readonly allowed_origins: readonly string[]
  /**
   * Host headers besides public_url's that requests may carry, such as a health checker's.
   */
  readonly allowed_hosts: readonly string[]
  readonly tls?: TlsConfig
  /**
   * How long open streams may go on after a shutdown began, their route's upstream changed, their person connected another account or their token expired.
   */
  readonly drain_timeout_ms: number
}
/**
 * Serve HTTPS directly. Leave it out behind a proxy that does.
 */
export interface TlsConfig {
  /**
   * Certificate chain as PEM text.
   */
  readonly cert: string
  /**
   * Private key of the certificate as PEM text.
   */
  readonly key: string
}
/**
 * Screen 1: how people sign in to the gateway. Without `users` or `none` there is one user from MCP_GATEWAY_USERNAME and MCP_GATEWAY_PASSWORD.
 */
export interface LoginConfig {
  /**
   * People who sign in with a password, by user name.
   */
  readonly users?: {
    readonly [k: string]: UserConfig
  }
  readonly none?: NoneLogin
  readonly session: SessionConfig
  readonly brand: BrandConfig
}
/**
 * One person.
 */
export interface UserConfig {
  /**
   * Argon2id hash of the password, as `mcp-oauth-gateway hash-password` prints it.
   */
  readonly password_hash: string
  /**
   * The person's email address.
   */
  readonly email?: string
  /**
   * Groups the person belongs to; `access` refers to them.
   */
  readonly groups: readonly string[]
  /**
   * Whatever else is known of the person, by name; `access` refers to it.
   */
  readonly claims: {
    /**
     * A text, or a list of texts.
     */
    readonly [k: string]: string | readonly string[]
  }
}
/**
 * No sign-in at the gateway: each browser is its own anonymous person and still has to consent. Write `none: {}`.
 */
export interface NoneLogin {}
/**
 * The browser session that spares people a second sign-in.
 */
export interface SessionConfig {
  /**
   * How long a browser stays signed in at the gateway.
   */
  readonly ttl_ms: number
}
/**
 * How the sign-in pages present themselves.
 */
export interface BrandConfig {
  /**
   * Name shown on the sign-in and consent pages.
   */
  readonly name: string
}
/**
 * Lifetimes of the tokens the gateway gives to MCP clients.
 */
export interface TokensConfig {
  /**
   * Lifetime of an access token.
   */
  readonly access_ttl_ms: number
  /**
   * A refresh token that is not used for this long expires.
   */
  readonly refresh_ttl_ms: number
  /**
   * After this long a person signs in again, however often tokens were refreshed.
   */
  readonly refresh_max_ms: number
  /**
   * How long a spent refresh token still answers with its successor, for clients that lost the reply. From 0s to 300s.
   */
  readonly refresh_grace_ms: number
}
/**
 * Which MCP clients may ask for access, and how they make themselves known.
 */
export interface ClientsConfig {
  /**
   * Clients that the configuration knows, by client_id. They need no registration.
   */
  readonly static: {
    readonly [k: string]: StaticClient
  }
  readonly registration: RegistrationConfig
  readonly cimd: CimdConfig
}
/**
 * One client that the configuration knows, in the names of RFC 7591.
 */
export interface StaticClient {
  /**
   * Name shown on the consent page. Default: the client_id.
   */
  readonly client_name?: string
  /**
   * The client's secret, sent as client_secret_basic or client_secret_post. Left out: a public client.
   */
  readonly client_secret?: string
  /**
   * How the client may get tokens. authorization_code: a person signs in; refresh tokens come with it. client_credentials: the client for itself, on routes that need no account of a person. jwt-bearer: for a person, with an ID-JAG of one of trusted_issuers. The last two need client_secret, jwks or jwks_uri.
   */
  readonly grant_types: ('authorization_code' | 'client_credentials' | 'urn:ietf:params:oauth:grant-type:jwt-bearer')[]
  /**
   * Where the client may be sent back to: https, http on loopback (any port matches), or a scheme of registration.redirect_schemes.
   */
  readonly redirect_uris: readonly string[]
  /**
   * Whether the client may introspect every token, not only its own (RFC 7662). Needs client_secret, jwks or jwks_uri.
   */
  readonly introspect: boolean
  /**
   * Where the client's public keys are. Then it authenticates with private_key_jwt (RFC 7523) and has no client_secret.
   */
  readonly jwks_uri?: string
  readonly jwks?: ClientKeys
}
/**
 * The client's public keys themselves, instead of jwks_uri (RFC 7517).
 */
export interface ClientKeys {
  /**
   * Public keys only: EC, RSA or OKP, with the members of RFC 7517 and RFC 7518.
   */
  readonly keys: readonly PublicKey[]
}
/**
 * A public key as RFC 7517 writes it. The members of a private key (d, p, q …) do not belong here.
 */
export interface PublicKey {
  /**
   * Kind of key.
   */
  readonly kty: 'EC' | 'RSA' | 'OKP'
  /**
   * Which of the keys it is, as a JWT's header says.
   */
  readonly kid?: string
  /**
   * What it is for.
   */
  readonly use?: 'sig'
  /**
   * What it is for, in other words.
   */
  readonly key_ops?: 'verify'[]
  /**
   * The one algorithm it is used with.
   */
  readonly alg?: 'ES256' | 'ES384' | 'RS256' | 'PS256' | 'EdDSA' | 'Ed25519'
  /**
   * Curve of an EC or OKP key.
   */
  readonly crv?: string
  /**
   * Coordinate of an EC or OKP key.
   */
  readonly x?: string
  /**
   * Second coordinate of an EC key.
   */
  readonly y?: string
  /**
   * Modulus of an RSA key.
   */
  readonly n?: string
  /**
   * Exponent of an RSA key.
   */
  readonly e?: string
  /**
   * Certificates of the key. They are not looked at.
   */
  readonly x5c?: readonly string[]
  /**
   * Thumbprint of its certificate. It is not looked at.
   */
  readonly x5t?: string
  /**
   * Thumbprint of its certificate. It is not looked at.
   */
  'x5t#S256'?: string
}
/**
 * Dynamic client registration (RFC 7591).
 */
export interface RegistrationConfig {
  /**
   * Whether unknown clients may register themselves.
   */
  readonly enabled: boolean
  /**
   * Private-use URI schemes (RFC 8252 §7.1) that registered redirect URIs may have besides https and loopback http.
   */
  readonly redirect_schemes: readonly string[]
}
/**
 * Clients whose client_id is the URL of a metadata document (client ID metadata documents).
 */
export interface CimdConfig {
  /**
   * Whether such clients are accepted.
   */
  readonly enabled: boolean
  /**
   * Only documents of these domains and what is below them. Left out: of all.
   */
  readonly allow?: readonly string[]
  /**
   * No documents of these domains and what is below them.
   */
  readonly deny: readonly string[]
  /**
   * Hosts whose documents may lie on private addresses; on loopback also over http.
   */
  readonly allow_private_hosts: readonly string[]
}
/**
 * Another issuer of tokens, such as a company's identity provider, whose word about people the gateway takes.
 */
export interface TrustedIssuerConfig {
  /**
   * Issuer identifier, exactly as the `iss` of its tokens has it.
   */
  readonly issuer: string
  /**
   * Where its public keys are. Left out: as its metadata says (RFC 8414, OpenID Connect Discovery).
   */
  readonly jwks_uri?: string
  /**
   * Signature algorithms that are accepted (RFC 7518). EdDSA and Ed25519 are two names of one.
   */
  readonly algorithms: (
    | 'RS256'
    | 'RS384'
    | 'RS512'
    | 'PS256'
    | 'PS384'
    | 'PS512'
    | 'ES256'
    | 'ES384'
    | 'ES512'
    | 'EdDSA'
    | 'Ed25519'
  )[]
  /**
   * Whether clients may bring its assertions about people (ID-JAG, Enterprise-Managed Authorization) to /token instead of a sign-in.
   */
  readonly id_jag: boolean
  /**
   * Whether its access tokens may have the `typ` JWT or none, instead of `at+jwt` (RFC 9068): Entra, Auth0 and Okta may send such. ID tokens look the same then; those with `nonce`, `at_hash` or `c_hash` are refused, and all others by their audience alone. So let no application have the route's audience as its client_id.
   */
  readonly legacy_typ: boolean
  readonly claims: TrustedIssuerClaims
}
/**
 * Which claims of its tokens hold what `access` and upstreams ask for.
 */
export interface TrustedIssuerClaims {
  /**
   * Name of the claim with the person's email address. It counts only beside `email_verified: true`.
   */
  readonly email: string
  /**
   * Name of the claim with the person's groups: a list, or one name.
   */
  readonly groups: string
}
/**
 * An upstream's authorization server and the gateway's registration there, in the names of RFC 8414 and RFC 7591.
 */
export interface AuthorizationServerConfig {
  /**
   * A provider whose endpoints and habits are known: they fill in what is not written here. Where issuer or an endpoint is written here, none of these three comes from the preset.
   */
  readonly preset?:
    | 'atlassian'
    | 'auth0'
    | 'discord'
    | 'entra'
    | 'github'
    | 'gitlab'
    | 'google'
    | 'keycloak'
    | 'linear'
    | 'notion'
    | 'okta'
    | 'sentry'
    | 'slack'
    | 'supabase'
  /**
   * Issuer identifier. Without endpoints, the server's metadata is looked up there (RFC 8414), and without client_id the gateway makes itself known: see `registration`. An `iss` in the upstream's answer must equal it (RFC 9207).
   */
  readonly issuer?: string
  /**
   * Where browsers are sent to sign in at the upstream. Left out: looked up.
   */
  readonly authorization_endpoint?: string
  /**
   * Where the gateway redeems codes and refreshes tokens. Left out: looked up.
   */
  readonly token_endpoint?: string
  /**
   * The gateway's client identifier at this authorization server. Left out: the gateway makes itself known, see `registration`.
   */
  readonly client_id?: string
  /**
   * The gateway's client secret. Leave it out for a public client.
   */
  readonly client_secret?: string
  /**
   * How the gateway authenticates at the token endpoint. Left out: private_key_jwt with a private_key, client_secret_basic with a client_secret, none without; where the gateway registers itself, what the server takes. private_key_jwt without a private_key signs with the gateway's own key, which is published at /.well-known/jwks.json.
   */
  readonly token_endpoint_auth_method?: 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'
  /**
   * The key that signs the gateway's client assertions (RFC 7523), as PEM text in PKCS #8: EC, RSA or Ed25519.
   */
  readonly private_key?: string
  /**
   * The `kid` under which the authorization server knows private_key. Left out: none is sent.
   */
  readonly private_key_id?: string
  /**
   * How the gateway makes itself known without a client_id; the first way that the server takes counts. `cimd`: by the URL of a client ID metadata document. `dynamic`: it registers itself (RFC 7591). Leave `cimd` out for a server that cannot reach this gateway.
   */
  readonly registration: ('cimd' | 'dynamic')[]
  /**
   * The URL of a client ID metadata document that is hosted elsewhere, to be used in place of the gateway's own at /.well-known/oauth-client/<name>. It has to name this gateway's callback.
   */
  readonly client_id_metadata_url?: string
  /**
   * Hosts that the server's endpoints may move to. Those of its first metadata are remembered, and metadata that names others is refused.
   */
  readonly endpoint_hosts: readonly string[]
  /**
   * Member of the token answer that holds the person's token, where the server answers with another one beside it. Left out: the answer itself.
   */
  readonly token_object?: string
  /**
   * Further query parameters for the authorization endpoint.
   */
  readonly authorization_parameters: {
    readonly [k: string]: string
  }
  /**
   * Where the gateway revokes upstream tokens that it forgets (RFC 7009): see `disconnect`. Left out: looked up.
   */
  readonly revocation_endpoint?: string
  /**
   * Where the gateway asks, once after each sign-in and with its new token, whose account it is, to show it on the consent page. On a host of this server, of the upstream, or of `endpoint_hosts`. Left out: an id_token says it, or nobody does.
   */
  readonly account_endpoint?: string
  /**
   * The member of its answer that names the account. Left out: preferred_username, email, name or login.
   */
  readonly account_claim?: string
  /**
   * Query parameters for the authorization endpoint when a person wants to connect another account. They win over `authorization_parameters`.
   */
  readonly relink_parameters: {
    readonly [k: string]: string
  }
  /**
   * Use this callback path instead of /upstream/callback/<name>. One authorization server only.
   */
  readonly callback?: '/upstream/callback'
}
/**
 * One MCP server behind the gateway.
 */
export interface RouteConfig {
  /**
   * Public path of the route. Default: / and the route's name.
   */
  readonly path: string
  /**
   * Name shown to people on the consent page. Default: the route's name.
   */
  readonly title?: string
  /**
   * A sentence for people on the consent page.
   */
  readonly description?: string
  readonly upstream: UpstreamConfig
  readonly auth: AuthConfig
  readonly token_issuer?: TokenIssuerConfig
  readonly scopes: ScopesConfig
  readonly identity?: IdentityConfig
  readonly access: AccessConfig
  readonly limits: LimitsConfig
  readonly timeouts: TimeoutsConfig
}
/**
 * The MCP server behind a route: its URL, or an object when headers are needed.
 */
export interface UpstreamConfig {
  /**
   * URL of the MCP server. A trailing slash counts.
   */
  readonly url: string
  /**
   * Headers the gateway sets on every request to the upstream.
   */
  readonly headers: {
    readonly [k: string]: string
  }
  /**
   * Request headers of the client that are passed on besides those that MCP and HTTP define.
   */
  readonly forward_headers: readonly string[]
}
/**
 * The upstream needs no authentication.
 */
export interface NoneAuth {
  /**
   * No authentication.
   */
  readonly type: 'none'
}
/**
 * One key, shared by everyone, on every request to the upstream.
 */
export interface ApiKeyAuth {
  /**
   * A shared key.
   */
  readonly type: 'api_key'
  /**
   * Where the key goes.
   */
  readonly in: 'header' | 'query'
  /**
   * Name of the header or query parameter.
   */
  readonly name: string
  /**
   * What is sent, with the scheme word if the upstream wants one.
   */
  readonly value: string
}
/**
 * Screen 2: each person signs in at the upstream's authorization server, and the gateway uses that person's token.
 */
export interface AuthorizationCodeAuth {
  /**
   * A token per person.
   */
  readonly type: 'authorization_code'
  /**
   * Name of an entry under `authorization_servers`, or its fields written here. Left out: the upstream is asked (RFC 9728), and the gateway registers itself where it points to.
   */
  readonly authorization_server?: string | AuthorizationServerConfig
  /**
   * Scope to ask the upstream for, space separated (RFC 6749 §3.3). Left out: what the upstream says it needs, if it does.
   */
  readonly scope?: string
  /**
   * The `resource` (RFC 8707) sent to the upstream's authorization server, or none to send none. Default: what the upstream's metadata names, else its url.
   */
  readonly resource?: string
  /**
   * When the gateway forgets a person's upstream tokens and revokes them (RFC 7009): never by itself, or once the last client's access to routes that share them was revoked.
   */
  readonly disconnect: 'never' | 'with_last_grant'
}
/**
 * One token for everyone, which the gateway gets for itself by the client credentials grant (RFC 6749 §4.4) and keeps fresh.
 */
export interface ClientCredentialsAuth {
  /**
   * The gateway's own token.
   */
  readonly type: 'client_credentials'
  /**
   * Name of an entry under `authorization_servers`, or its fields written here. Left out: the upstream is asked (RFC 9728), and the gateway registers itself where it points to.
   */
  readonly authorization_server?: string | AuthorizationServerConfig
  /**
   * The `audience` of the request, for authorization servers that tell their APIs apart by it, such as Auth0. Left out: what the preset says, else none is sent.
   */
  readonly audience?: string
  /**
   * Scope to ask for, space separated (RFC 6749 §3.3). Left out: what the upstream says it needs, if it does.
   */
  readonly scope?: string
  /**
   * The `resource` (RFC 8707) sent to the upstream's authorization server, or none to send none. Default: what the upstream's metadata names, else its url.
   */
  readonly resource?: string
}
/**
 * A token per caller without a second sign-in: the gateway hands over a token that names the caller, and gets one for the upstream (RFC 8693).
 */
export interface TokenExchangeAuth {
  /**
   * A token per caller, by token exchange.
   */
  readonly type: 'token_exchange'
  /**
   * Name of an entry under `authorization_servers`, or its fields written here. It needs an issuer or a token_endpoint: what names the caller is sent there, so the upstream has no say in it.
   */
  readonly authorization_server?: string | AuthorizationServerConfig
  /**
   * Enterprise-Managed Authorization: the exchange is made here, for an ID-JAG, and the authorization server takes that for its own token (RFC 7523). Name of an entry under `authorization_servers`, or its fields. Left out: the exchange is made at the authorization server itself.
   */
  readonly identity_provider?: string | AuthorizationServerConfig
  /**
   * What names the caller: `gateway` for a JWT that the gateway signs (its keys are at /.well-known/jwks.json); `caller` for the JWT that the client came with, on a route with `token_issuer`; or a token from elsewhere as ${NAME} or ${file:/path}, which makes everyone the same person.
   */
  readonly subject_token: 'gateway' | 'caller' | string
  /**
   * What the subject token is called (RFC 8693 §3). Default: jwt for the gateway's own, access_token for the client's, id_token for one from elsewhere.
   */
  readonly subject_token_type?: 'access_token' | 'id_token' | 'jwt'
  /**
   * The `audience` of the exchange (RFC 8693 §2.1). With an identity_provider, default: the issuer of the authorization server.
   */
  readonly audience?: string
  /**
   * Scope to ask for, space separated (RFC 6749 §3.3). Left out: what the upstream says it needs, if it does.
   */
  readonly scope?: string
  /**
   * The `resource` (RFC 8707) sent to the upstream's authorization server, or none to send none. Default: what the upstream's metadata names, else its url.
   */
  readonly resource?: string
}
/**
 * Screen 2 is a page of the gateway where each person pastes a key of their own. It is checked at the upstream, kept sealed, and sent there only.
 */
export interface UserApiKeyAuth {
  /**
   * A key per person.
   */
  readonly type: 'user_api_key'
  /**
   * Where the key goes.
   */
  readonly in: 'header' | 'query'
  /**
   * Name of the header or query parameter.
   */
  readonly name: string
  /**
   * What is sent before the key. Default: `Bearer ` in the header Authorization, else nothing.
   */
  readonly prefix?: string
  /**
   * A sentence on the page: which key, and where to make it.
   */
  readonly instructions?: string
  /**
   * A link on the page: where people make their key.
   */
  readonly help_url?: string
  /**
   * How a pasted key is checked: `mcp` sends an MCP initialize with it to the upstream, which must not answer 401 or 403; a URL is asked with GET and must answer 2xx; `none` takes any key.
   */
  readonly check: string
}
/**
 * Take this issuer's access tokens (JWT, RFC 9068) on the route instead of the gateway's own: the name of an entry under `trusted_issuers`, or an object when audience or scopes are needed. Clients sign in there, and the gateway is a resource server only.
 */
export interface TokenIssuerConfig {
  /**
   * Name of an entry under `trusted_issuers`.
   */
  readonly name: string
  /**
   * What the `aud` of a token must name. Default: the route's URL.
   */
  readonly audience?: string
  /**
   * Scopes that every token must carry, besides the route's `scopes.required`. Else 403 insufficient_scope.
   */
  readonly scopes: readonly string[]
}
/**
 * Which scopes this route's tokens carry besides `mcp:<route>`. They are asked of the upstream too, where people sign in there.
 */
export interface ScopesConfig {
  /**
   * Scopes that every token must carry. A token from before one was added is answered with 403 insufficient_scope, and its client signs in again.
   */
  readonly required: readonly string[]
  /**
   * Scopes that a client may ask for. Whatever else it asks for is ignored.
   */
  readonly optional: readonly string[]
  /**
   * Broad scopes with the narrower ones that each includes, and those with theirs.
   */
  readonly implies: {
    /**
     * The narrower scopes.
     */
    readonly [k: string]: readonly string[]
  }
}
/**
 * What the upstream is told about the caller, besides its credentials. A client's own copies of these headers never pass.
 */
export interface IdentityConfig {
  /**
   * Header names, and what each holds: subject, name, email, groups or client_id. Without a value the header is left out, as is the name of who is no person. `%`, control and non-ASCII characters are percent-encoded as UTF-8, in groups commas too.
   */
  readonly headers?: {
    readonly [k: string]: 'subject' | 'name' | 'email' | 'groups' | 'client_id'
  }
  readonly assertion?: IdentityAssertion
}
/**
 * A JWT about the caller, signed by the gateway (ES256), for upstreams that want proof. Its keys are at /.well-known/jwks.json.
 */
export interface IdentityAssertion {
  /**
   * Name of the header.
   */
  readonly header: string
  /**
   * Its `aud`. Default: the upstream's url without its query.
   */
  readonly audience?: string
  /**
   * How long each one is good, up to 10m. A new one is made for every request.
   */
  readonly ttl_ms: number
}
/**
 * Any list admits; `deny` wins.
 */
export interface AccessRules {
  /**
   * User names that are admitted.
   */
  readonly users?: readonly string[]
  /**
   * Groups whose members are admitted.
   */
  readonly groups?: readonly string[]
  /**
   * Domains whose addresses are admitted: exactly these, none below them. An issuer's address counts if it says that it verified it.
   */
  readonly email_domains?: readonly string[]
  /**
   * Claims that admit: who has one of them with one of its values. A claim may be a text, a number, a truth value or a list of these; values are compared as text.
   */
  readonly claims?: {
    /**
     * A text, a number, true or false, or a list of these, any of which will do.
     */
    readonly [k: string]: string | number | boolean | (string | number | boolean)[]
  }
  /**
   * Machine clients that are admitted, by client_id: see grant_types of `clients.static`.
   */
  readonly clients?: readonly string[]
  readonly deny?: AccessDeny
}
/**
 * Who is refused, whatever the other lists say.
 */
export interface AccessDeny {
  /**
   * User names that are refused.
   */
  readonly users: readonly string[]
  /**
   * Groups whose members are refused.
   */
  readonly groups: readonly string[]
  /**
   * Domains whose addresses are refused.
   */
  readonly email_domains?: readonly string[]
  /**
   * Claims that refuse: whoever has one of them with one of its values.
   */
  readonly claims?: {
    /**
     * A text, a number, true or false, or a list of these, any of which will do.
     */
    readonly [k: string]: string | number | boolean | (string | number | boolean)[]
  }
  /**
   * Machine clients that are refused.
   */
  readonly clients?: readonly string[]
}
/**
 * How much one request may ask for.
 */
export interface LimitsConfig {
  /**
   * Largest request body that is passed on; more is answered with 413.
   */
  readonly max_body_bytes: number
}
/**
 * How long the gateway waits for the upstream. An open event stream has no time limit.
 */
export interface TimeoutsConfig {
  /**
   * Until a connection to the upstream stands.
   */
  readonly connect_ms: number
  /**
   * Until the upstream's answer begins.
   */
  readonly response_ms: number
}
/**
 * A database in a folder on this machine.
 */
export interface EmbeddedStore {
  /**
   * A database in a folder on this machine.
   */
  readonly type: 'embedded'
  /**
   * Folder of the database. A relative path starts at the folder of this file. Default: a folder under the operating system's state directory.
   */
  readonly path?: string
  /**
   * Keys that seal upstream tokens: 32 bytes each, base64url. The first seals, all open. Default: a key file beside the store folder.
   */
  readonly keys?: readonly string[]
}
/**
 * Nothing is kept when the process ends. For tests.
 */
export interface MemoryStore {
  /**
   * In this process only.
   */
  readonly type: 'memory'
  /**
   * Keys that seal upstream tokens: 32 bytes each, base64url. The first seals, all open. Default: a key file beside the store folder.
   */
  readonly keys?: readonly string[]
}
/**
 * How the gateway gets out to upstreams and authorization servers. Proxy variables of the environment count for nothing.
 */
export interface EgressConfig {
  /**
   * Forward proxy that everything goes through (HTTP CONNECT). It resolves the hosts that this file names; what upstreams and clients name is resolved and checked by the gateway, and the proxy is told the address.
   */
  readonly proxy?: string
  /**
   * Value of the Proxy-Authorization header.
   */
  readonly proxy_authorization?: string
  /**
   * Hosts that are reached without the proxy, and everything below them. Loopback always is.
   */
  readonly direct: readonly string[]
}
/**
 * What the gateway tells about itself.
 */
export interface ObservabilityConfig {
  readonly log: LogConfig
}
/**
 * The log on stderr.
 */
export interface LogConfig {
  /**
   * The least severe entries that are written.
   */
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /**
   * auto is pretty on a terminal and json elsewhere.
   */
  readonly format: 'auto' | 'pretty' | 'json'
}
