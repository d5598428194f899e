// What is wrong with a configuration, in values. How it is shown is format.ts's matter; nothing here holds a secret.

export interface Position {
  readonly line: number
  readonly column: number
  readonly offset: number
}

export type Severity = 'error' | 'warning'

/** An edit that mends a problem: this text in place of that range. */
export interface Fix {
  readonly start: Position
  readonly end: Position
  readonly text: string
  /** What it does, without what stood there: `write api_key`. */
  readonly title: string
  /** The text repeats a value that may be a secret: to be applied, not to be shown. */
  readonly isPrivate: boolean
}

/** A mistake with its place in the file. */
export interface Problem {
  readonly rule: string
  readonly severity: Severity
  readonly file: string
  readonly start: Position
  readonly end: Position
  readonly pointer: string
  /** The pointer as people write it: `routes.tavily.auth.type`. */
  readonly path: string
  readonly message: string
  readonly hint?: string
  /** Only where one edit is certainly what was meant. */
  readonly fix?: Fix
}

/** A mistake before it has a place: which value, and whether its key is to blame. */
export interface Finding {
  readonly rule: string
  readonly severity?: Severity
  readonly pointer: string
  readonly at?: 'key' | 'value'
  readonly message: string
  readonly hint?: string
  /** The pointer this one was probably meant to be: a mistyped name. */
  readonly meant?: string
  /** What should stand where the blame goes, as YAML. */
  readonly fix?: Replacement
}

export interface Replacement {
  readonly text: string
  readonly title: string
  readonly isPrivate?: boolean
}

/** The configuration cannot be used. Carries every problem that one run could find, warnings included. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[]
  /** Absolute paths that `${file:…}` refers to: an edit of one may be all it takes. */
  readonly secretFiles: readonly string[]

  constructor(problems: readonly Problem[], secretFiles: readonly string[] = []) {
    super(summary(problems))
    this.name = 'ConfigError'
    this.problems = problems
    this.secretFiles = secretFiles
  }
}

/** Among what one configuration has. */
export function countErrors(problems: readonly Problem[]): number {
  return problems.filter(({ severity }) => severity === 'error').length
}

/** One line per problem, for logs that cannot show frames. */
export function describeProblem(problem: Problem): string {
  return `${placeOf(problem)}  ${textOf(problem)}`
}

/** `gateways.yaml:7:3`, which terminals and editors make a link of. */
export function placeOf({ file, start }: Problem): string {
  return `${file}:${start.line}:${start.column}`
}

/** What is wrong, then what to do. */
export function textOf({ path, message, hint }: Problem): string {
  const subject = path === '' ? '' : `${path}: `
  return [subject + sentence(message), hint && sentence(hint)].filter(Boolean).join(' ')
}

export function hasErrors(problems: readonly { readonly severity?: Severity }[]): boolean {
  return problems.some(({ severity }) => severity !== 'warning')
}

function summary(problems: readonly Problem[]): string {
  return problems
    .filter(({ severity }) => severity === 'error')
    .map(describeProblem)
    .join('\n')
}

const sentence = (text: string) => (/[.?!:]$/.test(text) ? text : `${text}.`)
