// GENERATED from schema/ by `npm run generate`: gateways.yaml as it is written. Do not edit.

/**
 * Who may use a route: the word `anyone` (who signed in), or lists. Any list admits; `deny` wins. With `deny` alone, everyone else is admitted.
 */
export type RawAccessConfig = 'anyone' | RawAccessRules
/**
 * The MCP server behind a route: its URL, or an object when headers are needed.
 */
export type RawUpstreamConfig = string | RawHttpUpstream
/**
 * How the gateway authenticates to the upstream.
 */
export type RawAuthConfig =
  'authorization_code' | 'none' | RawNoneAuth | RawApiKeyAuth | RawAuthorizationCodeAuth
/**
 * Where grants, sessions and upstream tokens are kept.
 */
export type RawStoreConfig = RawEmbeddedStore | RawMemoryStore

/**
 * mcp-oauth-gateway: who may sign in, which MCP servers stand behind the gateway, and how it signs in to each of them.
 */
export interface RawConfig {
  /**
   * Version of this file's format.
   */
  readonly version: 1
  readonly server?: RawServerConfig
  readonly login?: RawLoginConfig
  readonly tokens?: RawTokensConfig
  readonly clients?: RawClientsConfig
  /**
   * Upstream authorization servers that several routes may share, by name.
   */
  readonly authorization_servers?: {
    readonly [k: string]: RawAuthorizationServerConfig
  }
  readonly defaults?: RawDefaultsConfig
  /**
   * The MCP servers behind the gateway, by name.
   */
  readonly routes: {
    readonly [k: string]: RawRouteConfig
  }
  /**
   * Sentences about this file that have to be true. `validate` and every reload check them, without a network; an edit that breaks one is refused. `METHOD PATH`, then `without token` or `as NAME`; or `user NAME on ROUTE`; then `→` or `->`; then `allowed` or the gateway's status: 401, 403, 404, 405.
   */
  readonly tests?: readonly string[]
  readonly store?: RawStoreConfig
  readonly observability?: RawObservabilityConfig
}
/**
 * Where the gateway listens and under which URL clients know it.
 */
export interface RawServerConfig {
  /**
   * Address or host name to listen on. The default listens on 127.0.0.1 and ::1 only.
   */
  readonly host?: string
  /**
   * TCP port to listen on. 0 takes any free port.
   */
  readonly port?: number | string
  /**
   * The origin that clients and browsers reach the gateway at; the issuer of its tokens. Needed when `host` is not loopback. Default: http://localhost and the port.
   */
  readonly public_url?: string
  /**
   * Web origins besides the gateway's own whose pages may call it from a browser.
   */
  readonly allowed_origins?: readonly string[]
  /**
   * Host headers besides public_url's that requests may carry, such as a health checker's.
   */
  readonly allowed_hosts?: readonly string[]
  readonly tls?: RawTlsConfig
  /**
   * How long open streams may go on after a shutdown began, their route's upstream changed or their token expired.
   */
  readonly drain_timeout?: string
}
/**
 * Serve HTTPS directly. Leave it out behind a proxy that does.
 */
export interface RawTlsConfig {
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
export interface RawLoginConfig {
  /**
   * People who sign in with a password, by user name.
   */
  readonly users?: {
    readonly [k: string]: RawUserConfig
  }
  readonly none?: RawNoneLogin
  readonly session?: RawSessionConfig
  readonly brand?: RawBrandConfig
}
/**
 * One person.
 */
export interface RawUserConfig {
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
  readonly groups?: readonly string[]
}
/**
 * No sign-in at the gateway: each browser is its own anonymous person and still has to consent. Write `none: {}`.
 */
export interface RawNoneLogin {}
/**
 * The browser session that spares people a second sign-in.
 */
export interface RawSessionConfig {
  /**
   * How long a browser stays signed in at the gateway.
   */
  readonly ttl?: string
}
/**
 * How the sign-in pages present themselves.
 */
export interface RawBrandConfig {
  /**
   * Name shown on the sign-in and consent pages.
   */
  readonly name?: string
}
/**
 * Lifetimes of the tokens the gateway gives to MCP clients.
 */
export interface RawTokensConfig {
  /**
   * Lifetime of an access token.
   */
  readonly access_ttl?: string
  /**
   * A refresh token that is not used for this long expires.
   */
  readonly refresh_ttl?: string
  /**
   * After this long a person signs in again, however often tokens were refreshed.
   */
  readonly refresh_max?: string
  /**
   * How long a spent refresh token still answers with its successor, for clients that lost the reply. From 0s to 300s.
   */
  readonly refresh_grace?: string
}
/**
 * Which MCP clients may ask for access, and how they make themselves known.
 */
export interface RawClientsConfig {
  /**
   * Clients that the configuration knows, by client_id. They need no registration.
   */
  readonly static?: {
    readonly [k: string]: RawStaticClient
  }
  readonly registration?: RawRegistrationConfig
  readonly cimd?: RawCimdConfig
}
/**
 * One client that the configuration knows, in the names of RFC 7591.
 */
export interface RawStaticClient {
  /**
   * Name shown on the consent page. Default: the client_id.
   */
  readonly client_name?: string
  /**
   * The client's secret, sent as client_secret_basic or client_secret_post. Left out: a public client.
   */
  readonly client_secret?: string
  /**
   * Where the client may be sent back to: https, http on loopback (any port matches), or a scheme of registration.redirect_schemes.
   */
  readonly redirect_uris?: readonly string[]
  /**
   * Whether the client may introspect every token, not only its own (RFC 7662). Needs a client_secret.
   */
  readonly introspect?: boolean | string
  /**
   * Where the client's public keys are. Then it authenticates with private_key_jwt (RFC 7523) and has no client_secret.
   */
  readonly jwks_uri?: string
}
/**
 * Dynamic client registration (RFC 7591).
 */
export interface RawRegistrationConfig {
  /**
   * Whether unknown clients may register themselves.
   */
  readonly enabled?: boolean | string
  /**
   * Private-use URI schemes (RFC 8252 §7.1) that registered redirect URIs may have besides https and loopback http.
   */
  readonly redirect_schemes?: readonly string[]
}
/**
 * Clients whose client_id is the URL of a metadata document (client ID metadata documents).
 */
export interface RawCimdConfig {
  /**
   * Whether such clients are accepted.
   */
  readonly enabled?: boolean | string
  /**
   * Only documents of these domains and what is below them. Left out: of all.
   */
  readonly allow?: readonly string[]
  /**
   * No documents of these domains and what is below them.
   */
  readonly deny?: readonly string[]
  /**
   * Hosts whose documents may lie on private addresses; on loopback also over http.
   */
  readonly allow_private_hosts?: readonly string[]
}
/**
 * An upstream's authorization server and the gateway's registration there, in the names of RFC 8414 and RFC 7591.
 */
export interface RawAuthorizationServerConfig {
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
  /**
   * What a preset can't know, such as the tenant. `mcp-oauth-gateway presets NAME` lists what it needs.
   */
  readonly preset_parameters?: {
    readonly [k: string]: string
  }
  /**
   * Issuer identifier. Without endpoints, the server's metadata is looked up there (RFC 8414), and without client_id the gateway registers itself (RFC 7591). An `iss` in the upstream's answer must equal it (RFC 9207).
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
   * The gateway's client identifier at this authorization server. Left out: the gateway registers itself.
   */
  readonly client_id?: string
  /**
   * The gateway's client secret. Leave it out for a public client.
   */
  readonly client_secret?: string
  /**
   * How the gateway authenticates at the token endpoint. Left out: client_secret_basic with a client_secret, none without.
   */
  readonly token_endpoint_auth_method?: 'none' | 'client_secret_basic' | 'client_secret_post'
  /**
   * Further query parameters for the authorization endpoint.
   */
  readonly authorization_parameters?: {
    readonly [k: string]: string
  }
  /**
   * Use this callback path instead of /upstream/callback/<name>. One authorization server only.
   */
  readonly callback?: '/upstream/callback'
}
/**
 * What a route has when it says nothing. A route's `access` replaces this one whole; `limits` and `timeouts` are completed field by field.
 */
export interface RawDefaultsConfig {
  readonly access?: RawAccessConfig
  readonly limits?: RawLimitsConfig
  readonly timeouts?: RawTimeoutsConfig
}
/**
 * Any list admits; `deny` wins.
 */
export interface RawAccessRules {
  /**
   * User names that are admitted.
   */
  readonly users?: readonly string[]
  /**
   * Groups whose members are admitted.
   */
  readonly groups?: readonly string[]
  readonly deny?: RawAccessDeny
}
/**
 * Who is refused, whatever the other lists say.
 */
export interface RawAccessDeny {
  /**
   * User names that are refused.
   */
  readonly users?: readonly string[]
  /**
   * Groups whose members are refused.
   */
  readonly groups?: readonly string[]
}
/**
 * How much one request may ask for.
 */
export interface RawLimitsConfig {
  /**
   * Largest request body that is passed on; more is answered with 413.
   */
  readonly max_body?: string
}
/**
 * How long the gateway waits for the upstream. An open event stream has no time limit.
 */
export interface RawTimeoutsConfig {
  /**
   * Until a connection to the upstream stands.
   */
  readonly connect?: string
  /**
   * Until the upstream's answer begins.
   */
  readonly response?: string
}
/**
 * One MCP server behind the gateway.
 */
export interface RawRouteConfig {
  /**
   * Public path of the route. Default: / and the route's name.
   */
  readonly path?: string
  /**
   * Name shown to people on the consent page. Default: the route's name.
   */
  readonly title?: string
  /**
   * A sentence for people on the consent page.
   */
  readonly description?: string
  readonly upstream: RawUpstreamConfig
  readonly auth?: RawAuthConfig
  readonly access?: RawAccessConfig
  readonly limits?: RawLimitsConfig
  readonly timeouts?: RawTimeoutsConfig
}
/**
 * An MCP server reached over HTTP.
 */
export interface RawHttpUpstream {
  /**
   * URL of the MCP server. A trailing slash counts.
   */
  readonly url: string
  /**
   * Headers the gateway sets on every request to the upstream.
   */
  readonly headers?: {
    readonly [k: string]: string
  }
  /**
   * Request headers of the client that are passed on besides those that MCP and HTTP define.
   */
  readonly forward_headers?: readonly string[]
}
/**
 * The upstream needs no authentication.
 */
export interface RawNoneAuth {
  /**
   * No authentication.
   */
  readonly type: 'none'
}
/**
 * One key, shared by everyone, on every request to the upstream.
 */
export interface RawApiKeyAuth {
  /**
   * A shared key.
   */
  readonly type: 'api_key'
  /**
   * Where the key goes.
   */
  readonly in?: 'header' | 'query'
  /**
   * Name of the header or query parameter.
   */
  readonly name?: string
  /**
   * What is sent, with the scheme word if the upstream wants one.
   */
  readonly value: string
}
/**
 * Screen 2: each person signs in at the upstream's authorization server, and the gateway uses that person's token.
 */
export interface RawAuthorizationCodeAuth {
  /**
   * A token per person.
   */
  readonly type: 'authorization_code'
  /**
   * Name of an entry under `authorization_servers`, or its fields written here. Left out: the upstream is asked (RFC 9728), and the gateway registers itself where it points to.
   */
  readonly authorization_server?: string | RawAuthorizationServerConfig
  /**
   * Scope to ask the upstream for, space separated (RFC 6749 §3.3). Left out: what the upstream says it needs, if it does.
   */
  readonly scope?: string
  /**
   * The `resource` (RFC 8707) sent to the upstream's authorization server, or none to send none. Default: what the upstream's metadata names, else its url.
   */
  readonly resource?: string
}
/**
 * A database in a folder on this machine.
 */
export interface RawEmbeddedStore {
  /**
   * A database in a folder on this machine.
   */
  readonly type?: 'embedded'
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
export interface RawMemoryStore {
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
 * What the gateway tells about itself.
 */
export interface RawObservabilityConfig {
  readonly log?: RawLogConfig
}
/**
 * The log on stderr.
 */
export interface RawLogConfig {
  /**
   * The least severe entries that are written.
   */
  readonly level?: 'debug' | 'info' | 'warn' | 'error'
  /**
   * auto is pretty on a terminal and json elsewhere.
   */
  readonly format?: 'auto' | 'pretty' | 'json'
}
