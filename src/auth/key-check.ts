// Whether an upstream takes a key that somebody pasted: one request with it, before it is kept.
import { UpstreamError } from '../errors.ts'
import type { Credentials } from '../slots.ts'
import { isPassing } from '../upstream/control-answer.ts'
import { knock } from '../upstream/probe.ts'
import type { AuthContext, AuthDeps } from './context.ts'

/** Resolves with what is wrong, for the page. Throws UpstreamError when the upstream cannot say. */
export type KeyCheck = (key: string) => Promise<string | undefined>

const REFUSED = 'The upstream refuses this key.'

export function keyCheck(
  how: string,
  credentialsOf: (key: string) => Credentials,
  { upstream, headers, http }: Pick<AuthContext, 'upstream' | 'headers'> & Pick<AuthDeps, 'http'>,
): KeyCheck {
  if (how === 'none') return async () => undefined
  if (how === 'mcp')
    return async (key) => {
      const sent = credentialsOf(key)
      const { status } = await knock(http, withQuery(upstream, sent), { ...headers, ...sent.headers })
      return judge(status, false)
    }
  return async (key) => {
    const sent = credentialsOf(key)
    const { status } = await http({
      method: 'GET',
      url: withQuery(new URL(how), sent),
      trust: 'configured',
      headers: { accept: 'application/json, */*;q=0.5', ...sent.headers },
      headOnly: true,
    })
    return judge(status, true)
  }
}

/** `strict`: only a 2xx is good. An MCP server may answer `initialize` with another error, and still know the key. */
function judge(status: number, strict: boolean): string | undefined {
  if (status === 401 || status === 403) return REFUSED
  if (isPassing(status))
    throw new UpstreamError('unavailable', 'the upstream cannot check the key at the moment', { status }, 5)
  // Most lead to a page where people sign in, and none has looked at the key.
  if (status >= 300 && status < 400) {
    throw new UpstreamError(
      'bad_response',
      'the upstream redirects where a key is checked: the operator of this gateway has to mend the address',
      { status },
    )
  }
  return strict && (status < 200 || status > 299) ? REFUSED : undefined
}

export function withQuery(url: URL, { query = {} }: Credentials): URL {
  const whole = new URL(url)
  for (const [name, value] of Object.entries(query)) whole.searchParams.set(name, value)
  return whole
}
