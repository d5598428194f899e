// Every error the gateway can answer with, and the one table that gives each its HTTP status. `description` is
// public; `detail` is for the log only. Neither ever holds a secret, a code or a token.

/** Error codes of RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7591 §3.2.2, RFC 8707 §2 and OIDC Core §3.1.2.6. */
const OAUTH_STATUS = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_response_type: 400,
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

/** Everything that may be said of a refusal. The message is public: for a client's developer, or for the person at a page. */
export abstract class GatewayError extends Error {
  abstract readonly status: number
  /** The `error` of a JSON answer. */
  abstract readonly code: OAuthErrorCode
  /** The heading, where it becomes a page. */
  readonly title: string = 'This request cannot be used'
  /** For the log only. */
  readonly detail: LogDetail
  readonly retryAfterSeconds: number | undefined

  constructor(message: string, detail: LogDetail = {}, retryAfterSeconds?: number) {
    super(message)
    this.detail = detail
    this.retryAfterSeconds = retryAfterSeconds
  }

  get logReason(): string {
    return this.message
  }
}

/**
 * An error as the log tells it. `status` and `reason` are what the gateway answered and why; what the other side said
 * goes beneath them, as `upstreamStatus` and `cause`.
 */
export function errorFields({ status, code, logReason, detail }: GatewayError): LogDetail {
  const { status: upstreamStatus, reason: cause, ...rest } = detail
  const own = { status, error: code, reason: logReason }
  return {
    ...own,
    ...(upstreamStatus !== undefined && { upstreamStatus }),
    ...(cause !== undefined && { cause }),
    ...rest,
    // Again: they stand first, and nothing beneath replaces them.
    ...own,
  }
}

/** A refusal in the words of OAuth. Written as JSON, as a redirect or as a page, depending on who asked. */
export class OAuthError extends GatewayError {
  override readonly name: string = 'OAuthError'
  override readonly title = 'This sign-in request cannot be used'
  readonly code: OAuthErrorCode

  constructor(code: OAuthErrorCode, description: string, detail: LogDetail = {}) {
    super(description, detail, code === 'temporarily_unavailable' ? 1 : undefined)
    this.code = code
  }

  get status(): number {
    return OAUTH_STATUS[this.code]
  }
}

/** A refusal that only a person in a browser can meet: rendered as a page, never as a redirect. */
export class PageError extends GatewayError {
  override readonly name = 'PageError'
  override readonly title: string
  readonly code = 'invalid_request'
  readonly status: number

  constructor(status: number, title: string, message: string, detail: LogDetail = {}) {
    super(message, detail)
    this.status = status
    this.title = title
  }

  /** The message only says what the person can do. */
  override get logReason(): string {
    return this.title
  }
}

/** What went wrong between the gateway and an upstream, and the status the client gets for it. */
const UPSTREAM_STATUS = {
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
export class UpstreamError extends GatewayError {
  override readonly name = 'UpstreamError'
  readonly fault: UpstreamFault

  constructor(fault: UpstreamFault, message: string, detail: LogDetail = {}, retryAfterSeconds?: number) {
    super(message, detail, retryAfterSeconds)
    this.fault = fault
  }

  get status(): number {
    return UPSTREAM_STATUS[this.fault]
  }

  get code(): OAuthErrorCode {
    return this.fault === 'unavailable' || this.fault === 'timeout'
      ? 'temporarily_unavailable'
      : 'server_error'
  }
}

/** A refusal in plain HTTP terms on the MCP path (size, method, host, origin). */
export class HttpError extends GatewayError {
  override readonly name = 'HttpError'
  readonly code = 'invalid_request'
  readonly status: number

  constructor(status: number, message: string, detail: LogDetail = {}) {
    super(message, detail)
    this.status = status
  }
}

/** The gateway itself can't do it now: too much at once, or a broken part. Says nothing of the request. */
export abstract class UnavailableError extends GatewayError {
  override readonly title = 'The gateway cannot do this right now'
  readonly status = 503
  readonly code = 'temporarily_unavailable'
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
