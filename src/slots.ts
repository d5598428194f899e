// The shapes that routes are compiled into, on one screen. Builders run once per generation; steps run per request.
import type { Parameters } from './oauth/parameters.ts'

/** Who a person is to the gateway: `users/<name>`, `oidc/<iss>#<sub>` or `none/<id of this browser>`. Grants, links and audit key on it alone. */
export type Subject = string & { readonly brand: 'Subject' }

/** Proof that a bearer token was checked for this route. Only `authenticate` makes one. */
export interface Caller {
  readonly subject: Subject
  /** What is known of the subject now. */
  readonly profile: Profile
  /** Undefined where another issuer's token does not say. */
  readonly clientId: string | undefined
  /** Undefined for a token that another issuer made: nothing is stored of it. */
  readonly grantId: string | undefined
  /** Hash of the access token that was presented. */
  readonly tokenHash: string
  /** The JWT that was presented, on a route that takes another issuer's tokens. It goes to the configured authorization server for an exchange, and nowhere else. */
  readonly jwt?: { readonly text: string; readonly expiresAtMs: number }
  readonly route: string
  readonly scopes: readonly string[]
}

/** What the gateway adds to a request so that the upstream accepts it. Header names are lower-case. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  /** Of a person's own link: which account it is. Never sent. */
  readonly accountSinceMs?: number | undefined
}

/** Screen 2: how a person connects an account at the upstream. Only per-user auth types have one. */
export interface UpstreamLink {
  /** What the upstream will be asked for, as the consent page shows it: `requested` by the client, and what else is due. Asks nobody: it is read before anyone signed in. */
  scopes(subject: Subject | undefined, requested: readonly string[]): Promise<readonly string[]>
  /** A sign-in begun under another fingerprint is not finished under this one. Undefined: not known yet. */
  fingerprint(): Promise<string | undefined>
  /** Whether this person's link serves the route as the file has it now, and all that is needed beyond that was asked for, if in vain. While there is no fingerprint nothing speaks against it. */
  isGood(subject: Subject, needed: readonly string[]): Promise<boolean>
  /** The upstream account that this person connected; undefined when there is none, or none that works. */
  account?(subject: Subject): Promise<LinkedAccount | undefined>
  /** Where to send the browser, with `state`. What `finish` needs is sealed into the transaction. */
  begin(subject: Subject, state: string, wish: UpstreamWish): Promise<Begun>
  /** Redeems the upstream's answer and stores the link. Throws OAuthError with public text. */
  finish(subject: Subject, pending: UpstreamPending, answer: URLSearchParams): Promise<Finished>
  /** Where `begin` leads to is a page of our own, which asks for a key. Absent: it is the upstream's. */
  readonly keyForm?: KeyForm
  /** Deletes the link and takes its tokens back at the upstream. Absent: links stay until they are unused for long. */
  forget?(subject: Subject): Promise<void>
}

export interface Begun {
  readonly location: string
  /** Where this authorization server's answers come in, and no other's (sec-C10). */
  readonly callbackPath: string
  readonly pending: UpstreamPending
}

/** `overtaken`: nothing was redeemed. Another sign-in of that person has brought scopes meanwhile that this one's page did not show, and that would be lost with its tokens. `reduced`: the server refused scopes that can be done without, and the next request has less of them. */
export type Finished = 'connected' | 'overtaken' | 'reduced'

/** What the page says on which people paste their own key. `finish` takes the key as the answer's `key`. */
export interface KeyForm {
  readonly path: string
  readonly instructions: string | undefined
  readonly helpUrl: string | undefined
  /** Every origin that a key is sent to. */
  readonly sentTo: readonly string[]
  /** Asks the upstream. Resolves with what is wrong with the key, as the page says it; undefined: it is good. Throws UpstreamError when the upstream cannot say. */
  check(key: string): Promise<string | undefined>
}

/** What one trip to the upstream's sign-in is to bring besides what the route needs. */
export interface UpstreamWish {
  /** Scopes that the client asked for. */
  readonly requested: readonly string[]
  /** The person wants to connect another account than the one that is connected. */
  readonly relink: boolean
}

/** What people see of a link. */
export interface LinkedAccount {
  /** As the upstream wrote it: for display only, it proves nothing. */
  readonly name: string | undefined
  readonly connectedAtMs: number | undefined
  /** Another one, another account. Undefined for a link of old. */
  readonly accountSinceMs: number | undefined
}

/** What must be remembered between the redirect to the upstream and its answer. Sealed at rest. */
export interface UpstreamPending {
  readonly fingerprint: string
  readonly state: string
  readonly codeVerifier: string
  readonly scopes: readonly string[]
  /** The person wants this account, whichever is connected meanwhile. */
  readonly relink?: boolean
  /** Of a key form: its page has promised that a key goes nowhere else. */
  readonly sentTo?: readonly string[]
}

/** Slot 2: how the gateway authenticates to the upstream. One per route. */
export interface UpstreamAuth {
  attach(caller: Caller): Promise<Credentials>
  /** The upstream answered that these scopes are missing. True: they were not asked for yet, so signing in again will help; false: they were, and not granted. */
  demanded?(caller: Caller, scopes: readonly string[]): Promise<boolean>
  /** The upstream answered 401 to what was sent. True: attach again, the credentials are others now. After the second time there is no third. */
  rejected?(caller: Caller, sent: Credentials, time: 1 | 2): Promise<boolean>
  readonly link?: UpstreamLink
  /** What the gateway publishes of itself as a client, each at its path. */
  readonly clientDocuments?: readonly OwnDocument[]
  /** Asks the upstream what can be asked before anybody comes. Throws UpstreamError; nothing depends on it. */
  warmUp?(): Promise<void>
}

/** A client ID metadata document of the gateway. Routes with the same authorization server have the same path. */
export interface OwnDocument {
  /** A server that an upstream names later has `~` and more behind it. */
  readonly path: string
  /** What this route needs there. */
  readonly grantTypes: readonly string[]
  /** The one at `path`. `grantTypes`: of all who share it. Undefined while nobody has to read it. */
  read(path: string, grantTypes: readonly string[]): Promise<Readonly<Record<string, unknown>> | undefined>
}

/** What the upstream is told about the caller, besides its credentials. Absent on most routes. */
export interface UpstreamIdentity {
  /** Every header that it may set, folded: a client's own copies never pass, also while it sets none. */
  readonly headerNames: ReadonlySet<string>
  headers(caller: Caller): Promise<Readonly<Record<string, string>>>
}

/** What a login needs of the browser to ask who is there. */
export type LoginPrompt = { readonly kind: 'password' } | { readonly kind: 'anonymous' }

/** What is known of a subject, for pages, access rules and upstreams that want to know. */
export interface Profile {
  readonly kind: 'person' | 'client'
  /** A user's name, a machine client's id; for a person of another issuer the subject, which no user can be called. */
  readonly name: string
  readonly groups: readonly string[]
  /** Only one that the configuration states or the issuer says it verified. */
  readonly email?: string
  /** By name, as the configuration or the issuer states them. */
  readonly claims: Readonly<Record<string, unknown>>
  /** The clients that an issuer's token names. They count against its bearer alone: an issuer's client may be called like one of the gateway. */
  readonly clientIds?: readonly string[]
  /** What an issuer's token leaves open. It may count against somebody, never for them. */
  readonly doubts?: Doubts
}

export interface Doubts {
  /** Addresses that the issuer does not say it verified. */
  readonly emails: readonly string[]
  /** Their groups are more than the token lists. */
  readonly areGroupsUntold: boolean
  /** Claims that have to be asked for elsewhere. */
  readonly untoldClaims: readonly string[]
}

/** Slot 1: how a person signs in at the gateway (screen 1). Global, several at once. */
export interface Login {
  /** How its subjects begin. */
  readonly prefix: string
  readonly prompt: LoginPrompt
  /** Subjects that somebody else may be later. Leaving the configuration must end everything they had. */
  readonly reusableNames: ReadonlySet<Subject>
  /** How long a browser stays signed in. */
  readonly sessionTtlMs: number
  /** Who the form's sender is. Throws LoginRefused with a sentence for the page. */
  submit(form: Parameters): Promise<Subject>
  /** Undefined: this login no longer vouches for that subject, so nothing of theirs is good any more. */
  profile(subject: Subject): Profile | undefined
}
