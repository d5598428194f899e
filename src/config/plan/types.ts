// What an edit of the configuration comes to, in values. Holds no secret: every text in it may be shown.

/** From the cheapest to the dearest: what an edit costs the people who use the gateway. */
export const RELOAD_CLASSES = ['live', 'reconnect', 'reauthorize', 'relogin', 'restart'] as const
export type ReloadClass = (typeof RELOAD_CLASSES)[number]

export interface Change {
  readonly kind: 'added' | 'removed' | 'changed'
  /** As people write it: `routes.github.upstream.url`. */
  readonly path: string
  readonly reload: ReloadClass
  readonly before?: string
  readonly after?: string
  /** The routes that this line reaches through `defaults`. */
  readonly routes?: readonly string[]
  /** Where the new text has it. */
  readonly line?: number
}

export type Effect = 'kept' | 'added' | 'removed' | 'reconnect' | 'reauthorize' | 'relogin'

/** What becomes of a route's sessions. */
export interface RouteEffect {
  readonly route: string
  readonly effect: Effect
  /** Of `reauthorize`: nobody signs in again where the upstream names the same server and resource as before, which is not asked here. */
  readonly isForUpstreamToSay?: boolean
  /** The authorization server where people sign in, if they do. */
  readonly server?: string
  /** Users of `login.users` who may use it now, or no longer. */
  readonly gains: readonly string[]
  readonly loses: readonly string[]
  readonly numbers?: RouteNumbers
}

/** How many are concerned, as the running gateway counts them. */
export interface RouteNumbers {
  readonly grants: number
  readonly subjects: number
  /** Upstream accounts that are connected for this route. */
  readonly links: number
  readonly streams: number
  /** There were too many to count all: each number is a lower bound. */
  readonly partial: boolean
}

export type TodoKind =
  | 'redirect_uri'
  | 'scope'
  | 'variable'
  | 'file'
  | 'removed_user'
  | 'client_url'
  | 'restart'

/** What a reload alone does not do. */
export interface Todo {
  readonly kind: TodoKind
  /** What it is about: the URI, the variable, the user. */
  readonly subject: string
  readonly message: string
}

export interface Plan {
  readonly changes: readonly Change[]
  readonly routes: readonly RouteEffect[]
  readonly todo: readonly Todo[]
}

export function dearest(classes: Iterable<ReloadClass>): ReloadClass {
  return [...classes].reduce(
    (a, b) => (RELOAD_CLASSES.indexOf(b) > RELOAD_CLASSES.indexOf(a) ? b : a),
    'live',
  )
}
