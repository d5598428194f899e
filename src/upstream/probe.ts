// Asks an MCP server without a token, as a client of any era may, and reads its challenge.
import { UpstreamError } from '../errors.ts'
import { isPassing } from './control-answer.ts'
import type { ControlAnswer, ControlHttp } from './http.ts'
import { type BearerHints, parseBearerHints } from './well-known.ts'

/** The answer to what every client of every era may send first, without a token. */
function probe(
  http: ControlHttp,
  upstream: URL,
  headers: Readonly<Record<string, string>>,
): Promise<ControlAnswer> {
  return ask(
    http,
    upstream,
    'initialize',
    {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'mcp-oauth-gateway', version: '1' },
    },
    headers,
  )
}

function ask(
  http: ControlHttp,
  upstream: URL,
  method: string,
  params: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>>,
): Promise<ControlAnswer> {
  return http({
    method: 'POST',
    url: upstream,
    trust: 'configured',
    headers: {
      ...headers,
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 0, method, params }),
    // An event stream may stay open behind its head.
    headOnly: true,
  })
}

export interface Challenge extends BearerHints {
  readonly isChallenged: boolean
}

/** Nothing but the challenge is read from the answers. */
export async function askForChallenge(http: ControlHttp, upstream: URL): Promise<Challenge> {
  const answer = await knock(http, upstream)
  const isChallenged = answer.status === 401
  return {
    isChallenged,
    ...parseBearerHints(isChallenged ? headerOf(answer, 'www-authenticate') : undefined),
  }
}

/**
 * What the server says to a visitor with these headers: to the greeting, or to what comes after it where it turns away
 * only there. A good greeting stands when the rest is merely not understood: nobody has finished the handshake.
 */
export async function knock(
  http: ControlHttp,
  upstream: URL,
  headers: Readonly<Record<string, string>> = {},
): Promise<ControlAnswer> {
  const first = await probe(http, upstream, headers)
  if (first.status === 401 || isPassing(first.status)) return first
  const further = await askFurther(http, upstream, first, headers)
  if (further === undefined) return first
  return isGood(first) && !turnsAway(further) ? first : further
}

const isGood = ({ status }: ControlAnswer) => status >= 200 && status < 300
/** A redirect most often leads to a page where people sign in. */
const turnsAway = ({ status }: ControlAnswer) =>
  [401, 403].includes(status) || (status >= 300 && status < 400) || isPassing(status)

/** Some servers greet anybody and want a token for what comes after. Whether this one answers that at all is not the question. */
async function askFurther(
  http: ControlHttp,
  upstream: URL,
  first: ControlAnswer,
  headers: Readonly<Record<string, string>>,
): Promise<ControlAnswer | undefined> {
  try {
    const session = headerOf(first, 'mcp-session-id')
    return await ask(
      http,
      upstream,
      'tools/list',
      {},
      { ...headers, ...(session !== undefined && { 'mcp-session-id': session }) },
    )
  } catch (error) {
    if (error instanceof UpstreamError) return undefined
    throw error
  }
}

function headerOf(answer: ControlAnswer, name: string): string | undefined {
  const value = answer.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
