// How a persona speaks HTTP: like a program, or like a script in a page, to which the browser shows only what CORS allows.
import * as assert from 'uvu/assert'

export type JsonObject = Readonly<Record<string, unknown>>

export interface Answer {
  readonly status: number
  /** As far as the client may see it. */
  header(name: string): string | undefined
  readonly text: string
  /** The JSON body; empty when there is none. */
  readonly body: JsonObject
}
export interface Request {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}
export type Send = (url: string, request?: Request) => Promise<Answer>

/** Response headers that a script may read without being told (Fetch §2.2.6). */
const SAFELISTED = [
  'cache-control',
  'content-language',
  'content-length',
  'content-type',
  'expires',
  'pragma',
]

export function sender(origin: string | undefined): Send {
  return async (url, { method = 'GET', headers = {}, body } = {}) => {
    if (origin !== undefined) await preflight(url, origin, method, Object.keys(headers))
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      headers: { ...headers, ...(origin !== undefined && { origin }) },
      ...(body !== undefined && { body }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
    return {
      status: response.status,
      header: reader(url, origin, response.headers),
      text,
      body: isJson ? (JSON.parse(text) as JsonObject) : {},
    }
  }
}

async function preflight(url: string, origin: string, method: string, names: string[]): Promise<void> {
  const asked = names.map((name) => name.toLowerCase()).join(', ')
  const { ok, headers } = await fetch(url, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': asked },
  })
  assert.ok(ok, `the preflight of ${method} ${url}`)
  assert.ok(isAllowed(headers, origin), `${origin} may call ${url}`)
  if (method !== 'GET') assert.match(headers.get('access-control-allow-methods') ?? '', method, url)
  const allowed = (headers.get('access-control-allow-headers') ?? '').toLowerCase().split(/ *, */)
  for (const name of names) assert.ok(allowed.includes(name.toLowerCase()), `${url} allows ${name}`)
}

function reader(url: string, origin: string | undefined, headers: Headers): Answer['header'] {
  if (origin === undefined) return (name) => headers.get(name) ?? undefined
  assert.ok(isAllowed(headers, origin), `${origin} may read the answer of ${url}`)
  const exposed = (headers.get('access-control-expose-headers') ?? '').toLowerCase().split(/ *, */)
  return (name) => {
    const isVisible = SAFELISTED.includes(name) || exposed.includes(name)
    return isVisible ? (headers.get(name) ?? undefined) : undefined
  }
}

function isAllowed(headers: Headers, origin: string): boolean {
  return ['*', origin].includes(headers.get('access-control-allow-origin') ?? '')
}
