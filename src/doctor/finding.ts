// One line of what `doctor` found, in values. How it is shown is the command's matter. Never holds a secret.

export type Level = 'ok' | 'warn' | 'FAIL'

export interface Finding {
  readonly level: Level
  /** What it is about, as a path in the configuration where there is one: `routes.github`. */
  readonly scope: string
  readonly message: string
  /** What to do about it. */
  readonly advice?: string
}

export const ok = (scope: string, message: string): Finding => ({ level: 'ok', scope, message })

export const warn = (scope: string, message: string, advice: string): Finding => ({
  level: 'warn',
  scope,
  message,
  advice,
})

export const fail = (scope: string, message: string, advice: string): Finding => ({
  level: 'FAIL',
  scope,
  message,
  advice,
})
