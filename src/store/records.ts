// What the store holds, and under which keys. Every record carries its format version `v`; secrets inside are sealed.
import type { VerifiedRedirect } from '../oauth/redirect-uri.ts'
import type { Profile, Subject } from '../slots.ts'

/** Bumped when a record's shape changes in a way older code cannot read. */
export const FORMAT = 1

/**
 * One trip from GET /authorize to the authorization code. Lives at most ten minutes. Until somebody consents it lies
 * sealed in the page's form, and no record is written for whoever merely asks (sec-C16).
 */
export interface Transaction {
  readonly v: typeof FORMAT
  readonly id: string
  readonly clientId: string
  readonly clientName: string | undefined
  /** The host of its metadata document, if it has one. */
  readonly clientHost: string | undefined
  readonly redirectUri: VerifiedRedirect
  /** The client's own `state`: opaque payload, never a key (two clients may send the same one). */
  readonly state: string | undefined
  readonly codeChallenge: string
  readonly route: string
  /** What the client asked for and may have, beyond what every token of the route carries. */
  readonly scopes: readonly string[]
  /** All that it asked for by name. Nothing is asked of the upstream by that, but of what is there anyway the grant then says it. */
  readonly wished: readonly string[]
  /** The scopes that the page listed to which the person said yes; known from the consent on. */
  readonly consented?: readonly string[]
  /** How often a key was pasted on its page: nobody may go on guessing there. */
  readonly keyAttempts?: number
  /** The upstream that the consent page names: consent given for one is not consent for another. */
  readonly upstreamUrl: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  /** SHA-256 of the cookie that this browser was given for this transaction. Replaced at consent. */
  readonly browserHash: string
  /** Which step comes next. A transaction that is `done` answers "already used". */
  readonly stage: 'consent' | 'upstream' | 'done'
  /** Who consented; known from the consent on. */
  readonly subject: Subject | undefined
  /** The sealed UpstreamPending, and where the upstream's answer must come in, once the browser was sent there. */
  readonly upstream: { readonly callbackPath: string; readonly sealed: string } | undefined
}

/** An access token as the store knows it. */
export interface TokenHash {
  readonly hash: string
  readonly expiresAtMs: number
}

/**
 * A subject's consent to a client on a route, with its token family. Code spending, rotation, replay detection and
 * revocation are each one compare-and-swap on this one record.
 */
export interface Grant {
  readonly v: typeof FORMAT
  readonly id: string
  readonly subject: Subject
  /** What an issuer said of a person that no login of the gateway knows. Access is judged by it, on every request. */
  readonly profile?: Profile
  readonly clientId: string
  readonly route: string
  readonly scopes: readonly string[]
  /** Scopes that the upstream demanded of this client's calls. Until its sign-in was asked for them, refreshes are refused (design §5). */
  readonly wanted?: readonly string[]
  readonly createdAtMs: number
  /** Absolute end of the family, whatever is refreshed. */
  readonly expiresAtMs: number
  /** Kept, marked as spent, until it expires: a replay must be recognised (RFC 6749 §4.1.2). Without a sign-in there is none. */
  readonly code?: {
    readonly hash: string
    readonly expiresAtMs: number
    readonly redirectUri: string
    readonly challenge: string
    readonly spent: boolean
  }
  readonly access: readonly TokenHash[]
  readonly refresh: TokenHash | undefined
  /** Refresh tokens that were spent and are still in their grace, each with its successor pair sealed under HKDF(that token). */
  readonly spent: readonly SpentToken[]
}

export interface SpentToken {
  readonly hash: string
  readonly graceEndsAtMs: number
  readonly sealedSuccessor: string
}

/** A browser that signed in at the gateway. Keyed by the hash of its cookie. */
export interface Session {
  readonly v: typeof FORMAT
  readonly subject: Subject
  /** The subject's when they signed in. In another one the session is worth nothing. */
  readonly epoch?: number
  readonly createdAtMs: number
  readonly expiresAtMs: number
}

/** Whom an upstream gave an MCP session id to; `several`: to more than one person. Keyed by the hash of the upstream's origin and the id. */
export interface McpSession {
  readonly v: typeof FORMAT
  readonly subject: Subject | 'several'
  /** Absent until somebody came back with it. */
  readonly usedAtMs?: number
  /** The upstream account that it was opened with, as its link has it. Absent where there is none, or where several share the id. */
  readonly accountSinceMs?: number
}

/** Somebody whom the configuration named once, or an issuer. Found again, and forgotten, when that name leaves the configuration. */
export interface KnownUser {
  readonly v: typeof FORMAT
  readonly subject: Subject
  /** Grows when the name leaves the configuration and when it comes back: in another epoch it may be another person's. */
  readonly epoch?: number
  /** It left, and did not come back since. */
  readonly departed?: true
}

/** A subject's tokens at one upstream. `sealed` holds LinkTokens, bound to this record's key. */
export interface Link {
  readonly v: typeof FORMAT
  readonly subject: Subject
  readonly fingerprint: string
  /** Every scope that was asked for. A route that needs others asks again, for the union; one refused is not asked for in a loop. */
  readonly asked: readonly string[]
  /** Scopes that the upstream demanded later and that were not asked for yet: the next sign-in asks for them too, whoever makes it. */
  readonly wanted: readonly string[]
  /** Scopes that the sign-in server did not take a request for, and when it last said so: they were asked for in vain. */
  readonly refused?: { readonly scopes: readonly string[]; readonly atMs: number }
  /** The scope that the upstream said it granted, as it wrote it; undefined when it never said. */
  readonly granted: string | undefined
  readonly sealed: string
  /** Set when the upstream refused these tokens for good (`invalid_grant`): sign in again. */
  readonly dead: boolean
  readonly updatedAtMs: number
  /** When that person last signed in at the upstream. */
  readonly connectedAtMs?: number
  /** Stands for the account or key behind it: grows when that may be another one, and outlasts refreshes. */
  readonly accountSinceMs?: number
}

export const keys = {
  transaction: (idHash: string) => `transaction/${idHash}`,
  grant: (grantId: string) => `grant/${grantId}`,
  session: (cookieHash: string) => `session/${cookieHash}`,
  link: (subjectHash: string, fingerprint: string) => `link/${subjectHash}/${fingerprint}`,
  user: (subject: Subject) => `user/${subject}`,
  mcpSession: (hash: string) => `mcp_session/${hash}`,
  /** A client's assertion, or an issuer's (ID-JAG), that was used. */
  assertion: (hash: string) => `assertion/${hash}`,
  /** A token that the gateway can get again without a person. */
  heldToken: (key: string) => `token/${key}`,
  /** What an upstream said of where to sign in. */
  discovered: (hash: string) => `discovered/${hash}`,
  /** The gateway as a client of an upstream's authorization server. */
  registered: (hash: string) => `registered/${hash}`,
  /** The first authorization server that came in at a callback. */
  firstIssuer: (callbackHash: string) => `first-issuer/${callbackHash}`,
  /** Where an issuer's endpoints were when they were first seen. */
  endpointHosts: (issuerHash: string) => `endpoint-hosts/${issuerHash}`,
} as const

export const indexes = {
  bySubject: (subject: Subject) => `subject/${subject}`,
  byClient: (clientHash: string) => `client/${clientHash}`,
  byRoute: (route: string) => `route/${route}`,
  users: 'users',
} as const
