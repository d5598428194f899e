// What the control socket answers, for both of its ends. JSON over HTTP over a socket file that only this user may open.
import type { Plan, RouteNumbers } from '../config/plan/types.ts'
import type { Problem } from '../config/problem.ts'
import type { AccessConfig } from '../config/types.ts'

export interface Status {
  readonly version: string
  readonly pid: number
  readonly uptimeSeconds: number
  readonly url: string
  readonly generation: number
  /** The file, as it was given at the start. */
  readonly source: string
  /** Of the text that runs: the first 12 hex digits of its SHA-256. */
  readonly configHash: string
  /** Whether the file says what runs. */
  readonly file: 'same' | 'differs' | 'unreadable'
  /** Why an edit has not arrived, or cannot. */
  readonly stale?: { readonly why: string; readonly reason: string; readonly since: string }
  readonly lastReload?: LastReload
  readonly restartPending: readonly string[]
  readonly routes: number
  readonly openStreams: number
}

export interface LastReload {
  readonly outcome: 'applied' | 'refused'
  readonly trigger: 'save' | 'request'
  readonly at: string
  /** What ran afterwards. */
  readonly generation: number
  readonly problems?: readonly Problem[]
  readonly reason?: string
}

export interface RouteStatus {
  readonly name: string
  readonly path: string
  readonly url: string
  readonly upstream: string
  /** `authorization_code@github`, `client_credentials@warehouse`, `api_key`, `none`. */
  readonly auth: string
  readonly access: AccessConfig
  readonly openStreams: number
  /** The generation since which it is what it is. */
  readonly since: number
}

export interface RunningConfig {
  readonly source: string
  readonly text: string
  readonly generation: number
}

export type Numbers = Readonly<Record<string, RouteNumbers>>

export type ReloadAnswer =
  | { readonly outcome: 'applied'; readonly generation: number; readonly plan?: Plan }
  | { readonly outcome: 'unchanged'; readonly generation: number }
  | {
      readonly outcome: 'refused'
      readonly generation: number
      readonly reason: string
      readonly problems: readonly Problem[]
    }

/** What a running gateway lets its own user see and do. */
export interface Control {
  status(): Promise<Status>
  routes(): readonly RouteStatus[]
  config(): RunningConfig
  numbers(): Promise<Numbers>
  reload(): Promise<ReloadAnswer>
}
