// The shapes that routes are compiled into, on one screen. Builders run once per generation; steps run per request.
import type { Parameters } from './oauth/parameters.ts'

/** Who a person is to the gateway: `users/<name>`, `oidc/<iss>#<sub>` or `none/<id of this browser>`. Grants, links and audit key on it alone. */
export type Subject = string & { readonly brand: 'Subject' }

/** Proof that a bearer token was checked for this route. Only `authenticate` makes one. */
export interface Caller {
  readonly subject: Subject
  readonly clientId: string
  readonly grantId: string
  /** Hash of the access token that was presented. */
  readonly tokenHash: string
  readonly route: string
  readonly scopes: readonly string[]
}

/** What the gateway adds to a request so that the upstream accepts it. Header names are lower-case. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
}

/** Screen 2: how a person connects an account at the upstream. Only per-user auth types have one. */
export interface UpstreamLink {
  /** Where this authorization server's answers come in, and no other's (sec-C10). */
  readonly callbackPath: string
  /** What the upstream will be asked for, as the consent page shows it. Asks nobody: it is read before anyone signed in. */
  scopes(subject: Subject | undefined): Promise<readonly string[]>
  /** A sign-in begun under another fingerprint is not finished under this one. Undefined: not known yet. */
  fingerprint(): Promise<string | undefined>
  /** Whether this person's link serves the route as it is now. */
  isGood(subject: Subject): Promise<boolean>
  /** Where to send the browser, with `state`. What `finish` needs is sealed into the transaction. */
  begin(
    subject: Subject,
    state: string,
  ): Promise<{ readonly location: string; readonly pending: UpstreamPending }>
  /** Redeems the upstream's answer and stores the link. Throws OAuthError with public text. */
  finish(subject: Subject, pending: UpstreamPending, answer: URLSearchParams): Promise<void>
}

/** What must be remembered between the redirect to the upstream and its answer. Sealed at rest. */
export interface UpstreamPending {
  readonly fingerprint: string
  readonly state: string
  readonly codeVerifier: string
  readonly scopes: readonly string[]
}

/** Slot 2: how the gateway authenticates to the upstream. One per route. */
export interface UpstreamAuth {
  attach(caller: Caller): Promise<Credentials>
  /** The upstream answered that these scopes are missing. True: they were not asked for yet, so signing in again will help; false: they were, and not granted. */
  demanded?(caller: Caller, scopes: readonly string[]): Promise<boolean>
  /** The upstream answered 401 to what was sent. True: attach again, the credentials are others now. After the second time there is no third. */
  rejected?(caller: Caller, sent: Credentials, time: 1 | 2): Promise<boolean>
  readonly link?: UpstreamLink
  /** Asks the upstream what can be asked before anybody comes. Throws UpstreamError; nothing depends on it. */
  warmUp?(): Promise<void>
}

/** What a login needs of the browser to ask who is there. */
export type LoginPrompt = { readonly kind: 'password' } | { readonly kind: 'anonymous' }

/** What a login knows of one of its subjects, for pages and access rules. */
export interface Profile {
  readonly name: string
  readonly groups: readonly string[]
}

/** Slot 1: how a person signs in at the gateway (screen 1). Global, several at once. */
export interface Login {
  /** How its subjects begin. */
  readonly prefix: string
  readonly prompt: LoginPrompt
  /** Whether somebody else may have the same subject later. Then leaving the configuration must end everything they had. */
  readonly hasReusableNames: boolean
  /** How long a browser stays signed in. */
  readonly sessionTtlMs: number
  /** Who the form's sender is. Throws LoginRefused with a sentence for the page. */
  submit(form: Parameters): Promise<Subject>
  /** Undefined: this login no longer vouches for that subject, so nothing of theirs is good any more. */
  profile(subject: Subject): Profile | undefined
}
