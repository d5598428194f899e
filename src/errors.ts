// Every error the gateway can answer with, and the one table that gives each its HTTP status. `description` is
// public; `detail` is for the log only. Neither ever holds a secret, a code or a token.

/** Error codes of RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7591 §3.2.2, RFC 8707 §2, RFC 7009 §2.2.1 and OIDC Core §3.1.2.6. */
export const OAUTH_STATUS = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_response_type: 400,
  unsupported_token_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
  access_denied: 403,
  server_error: 500,
  temporarily_unavailable: 503,
  invalid_redirect_uri: 400,
  invalid_client_metadata: 400,
  request_not_supported: 400,
  request_uri_not_supported: 400,
  invalid_token: 401,
  insufficient_scope: 403,
} as const

export type OAuthErrorCode = keyof typeof OAUTH_STATUS

export type LogDetail = Readonly<Record<string, string | number | boolean | undefined>>

/** A refusal in the words of OAuth. Written as JSON, as a redirect or as a page, depending on who asked. */
export class OAuthError extends Error {
  readonly code: OAuthErrorCode
  readonly detail: LogDetail

  constructor(code: OAuthErrorCode, description: string, detail: LogDetail = {}) {
    super(description)
    this.name = 'OAuthError'
    this.code = code
    this.detail = detail
  }

  get status(): number {
    return OAUTH_STATUS[this.code]
  }
}

/** A refusal that only a person in a browser can meet: rendered as a page, never as a redirect. */
export class PageError extends Error {
  readonly status: number
  readonly title: string
  readonly detail: LogDetail

  constructor(status: number, title: string, message: string, detail: LogDetail = {}) {
    super(message)
    this.name = 'PageError'
    this.status = status
    this.title = title
    this.detail = detail
  }
}

/** What went wrong between the gateway and an upstream, and the status the client gets for it. */
export const UPSTREAM_STATUS = {
  unreachable: 502,
  reset: 502,
  bad_response: 502,
  redirected: 502,
  credential_refused: 502,
  timeout: 504,
  unavailable: 503,
} as const

export type UpstreamFault = keyof typeof UPSTREAM_STATUS

/** The upstream's mistake or absence. `message` is public, so it names the route and never a host, header or body. */
export class UpstreamError extends Error {
  readonly fault: UpstreamFault
  readonly detail: LogDetail
  readonly retryAfterSeconds: number | undefined

  constructor(fault: UpstreamFault, message: string, detail: LogDetail = {}, retryAfterSeconds?: number) {
    super(message)
    this.name = 'UpstreamError'
    this.fault = fault
    this.detail = detail
    this.retryAfterSeconds = retryAfterSeconds
  }

  get status(): number {
    return UPSTREAM_STATUS[this.fault]
  }
}

/** A refusal in plain HTTP terms on the MCP path (size, method, host, origin). */
export class HttpError extends Error {
  readonly status: number
  readonly detail: LogDetail

  constructor(status: number, message: string, detail: LogDetail = {}) {
    super(message)
    this.name = 'HttpError'
    this.status = status
    this.detail = detail
  }
}

/** The person at screen 1 is not who they say, or must wait. The message is for the page. */
export class LoginRefused extends Error {
  readonly status: number
  readonly retryAfterSeconds: number | undefined

  constructor(message: string, status = 403, retryAfterSeconds?: number) {
    super(message)
    this.name = 'LoginRefused'
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
  }
}
