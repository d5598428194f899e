// The grammar of `tests`: one sentence → what it says. Strict, so that no sentence can be read in two ways. Pure.

/** What a sentence expects: that the gateway lets the request through to the upstream, or refuses it with this status. */
export type Verdict = 'allowed' | 401 | 403 | 404 | 405

/** `GET /github without token → 401`, `POST /github as bob → 403`. */
export interface RequestExample {
  readonly kind: 'request'
  readonly method: string
  readonly path: string
  /** Whose token the request carries; undefined: none. */
  readonly user: string | undefined
  readonly expected: Verdict
}

/** A person who signed in, or a client that has tokens for itself. */
export type CallerKind = 'user' | 'client'

/** `user bob on github → 403`, `client nightly on warehouse → allowed`; without a route it is said of every route. */
export interface CallerExample {
  readonly kind: CallerKind
  readonly name: string
  readonly route: string | undefined
  readonly expected: Verdict
}

export type Example = RequestExample | CallerExample

/** What keeps a sentence from being read. */
export interface Unreadable {
  readonly kind: 'unreadable'
  readonly message: string
  readonly hint: string
}

const GRAMMAR =
  'Write `GET /path without token → 401`, `POST /path as NAME → allowed`, `user NAME on ROUTE → 403` or `client ID on ROUTE → allowed`.'

const METHODS: readonly string[] = ['GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'HEAD']
const REFUSALS: readonly number[] = [401, 403, 404, 405]

export function readSentence(text: string): Example | Unreadable {
  const [left = '', right, ...more] = text.split(/→|->/).map((part) => part.trim())
  if (right === undefined) return unreadable('has no → with what is expected after it')
  if (more.length > 0) return unreadable('has more than one →')
  const words = left.split(/\s+/)
  if (words[0] === 'tool') return NO_TOOLS
  const expected = readVerdict(right)
  if (typeof expected === 'object') return expected
  const [kind] = words
  return kind === 'user' || kind === 'client'
    ? readCaller(kind, words, expected)
    : readRequest(words, expected)
}

function readVerdict(text: string): Verdict | Unreadable {
  if (text === 'allowed') return text
  const status = REFUSALS.find((known) => String(known) === text)
  if (status !== undefined) return status as Verdict
  if (text === 'denied') return unreadable('`denied` is no answer', 'Write 403.')
  return /^[1-5]\d\d$/.test(text)
    ? unreadable(
        `${text} is not the gateway's own answer`,
        'The gateway refuses with 401, 403, 404 or 405; what it lets through is `allowed`, for the upstream answers then.',
      )
    : unreadable(`${show(text)} is no answer`, 'Write allowed, 401, 403, 404 or 405.')
}

function readCaller(kind: CallerKind, words: readonly string[], expected: Verdict): Example | Unreadable {
  const [, name, on, route, ...more] = words
  if (name === undefined) return unreadable(`names no ${kind}`)
  if (on === undefined) return { kind, name, route: undefined, expected }
  if (on !== 'on' || route === undefined || more.length > 0)
    return unreadable(`cannot be read after the ${kind}`)
  return { kind, name, route, expected }
}

function readRequest(words: readonly string[], expected: Verdict): Example | Unreadable {
  const [method = '', path = '', ...rest] = words
  if (METHODS.includes(method.toUpperCase()) && !METHODS.includes(method))
    return unreadable(`${show(method)} is no method`, `Write ${method.toUpperCase()}.`)
  if (!METHODS.includes(method))
    return unreadable(`${show(method)} is neither a method nor \`user\` nor \`client\``)
  if (!path.startsWith('/')) return unreadable('names no path', 'A path starts with /, as in GET /github.')
  const [word, name, ...more] = rest
  if (more.length > 0) return unreadable('has words after its end')
  const request = { kind: 'request', method, path, expected } as const
  if (word === undefined || (word === 'without' && name === 'token')) return { ...request, user: undefined }
  return word === 'as' && name !== undefined
    ? { ...request, user: name }
    : unreadable('does not say whose token is sent', 'Write `without token` or `as NAME` after the path.')
}

const NO_TOOLS: Unreadable = {
  kind: 'unreadable',
  message: 'tools cannot be tested yet',
  hint: 'This version has no policies for tools, so each admitted person may call every tool. Remove the sentence.',
}

function unreadable(message: string, hint = GRAMMAR): Unreadable {
  return { kind: 'unreadable', message, hint }
}

const show = (text: string) => JSON.stringify(text.slice(0, 40))
