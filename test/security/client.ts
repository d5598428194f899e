// A bare OAuth and MCP client over plain fetch, for requests that no SDK would send: each trip has a state and a
// verifier of its own, and nothing is checked but what a helper's name says.
import { createHash, randomBytes } from 'node:crypto'

export interface Answer {
  status: number
  headers: Headers
  text: string
  /** The JSON body; empty when there is none. */
  body: Record<string, unknown>
}
/** `undefined` leaves a parameter out. */
export type Form = Record<string, string | undefined>
/** One authorization request, and what the client keeps of it. */
export interface Trip {
  url: URL
  state: string
  verifier: string
}
export interface Tokens {
  access: string
  refresh: string
}
type AuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post'

export async function send(url: string | URL, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, { redirect: 'manual', ...init })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  const body = isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {}
  return { status: response.status, headers: response.headers, text, body }
}

export function postJson(url: string | URL, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return send(url, {
    method: 'POST',
    body: text,
    headers: { 'content-type': 'application/json', ...headers },
  })
}

export function postForm(url: string | URL, form: Form, headers: Record<string, string> = {}) {
  return send(url, { method: 'POST', body: new URLSearchParams(present(form)), headers })
}

function present(form: Form): Record<string, string> {
  const entries = Object.entries(form)
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

export const basic = (id: string, secret: string) =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

export const challengeOf = (verifier: string) => createHash('sha256').update(verifier).digest('base64url')

let registered = 0

export class Client {
  readonly gateway: string
  readonly id: string
  readonly secret: string | undefined
  readonly authMethod: AuthMethod
  readonly redirectUri: string

  constructor(gateway: string, registration: Record<string, unknown>) {
    this.gateway = gateway
    this.id = String(registration.client_id)
    this.secret = registration.client_secret as string | undefined
    this.authMethod = registration.token_endpoint_auth_method as AuthMethod
    this.redirectUri = (registration.redirect_uris as string[])[0] ?? ''
  }

  /** A public client with a redirect URI of its own, unless the metadata says otherwise. */
  static async register(gateway: string, metadata: Record<string, unknown> = {}): Promise<Client> {
    registered += 1
    const { status, text, body } = await postJson(`${gateway}/register`, {
      client_name: `Client ${registered}`,
      redirect_uris: [`https://client-${registered}.test/cb`],
      token_endpoint_auth_method: 'none',
      ...metadata,
    })
    if (status !== 201) throw new Error(`the registration was answered with ${status}: ${text}`)
    return new Client(gateway, body)
  }

  trip(overrides: Form = {}): Trip {
    const verifier = randomBytes(32).toString('base64url')
    const state = overrides.state ?? randomBytes(16).toString('base64url')
    const parameters = {
      response_type: 'code',
      client_id: this.id,
      redirect_uri: this.redirectUri,
      code_challenge: challengeOf(verifier),
      code_challenge_method: 'S256',
      state,
      ...overrides,
    }
    const query = new URLSearchParams(present(parameters))
    return { url: new URL(`${this.gateway}/authorize?${query}`), state, verifier }
  }

  /** Authenticates as registered. */
  token(form: Form, headers: Record<string, string> = {}): Promise<Answer> {
    const url = `${this.gateway}/token`
    const { id, secret = '', authMethod } = this
    if (authMethod === 'client_secret_basic') {
      return postForm(url, form, { authorization: basic(id, secret), ...headers })
    }
    const credentials = authMethod === 'none' ? { client_id: id } : { client_id: id, client_secret: secret }
    return postForm(url, { ...credentials, ...form }, headers)
  }

  redeem(code: string, verifier: string, overrides: Form = {}): Promise<Answer> {
    const grant = { grant_type: 'authorization_code', code, code_verifier: verifier }
    return this.token({ ...grant, redirect_uri: this.redirectUri, ...overrides })
  }

  refresh(token: string, overrides: Form = {}): Promise<Answer> {
    return this.token({ grant_type: 'refresh_token', refresh_token: token, ...overrides })
  }
}

export function tokensOf({ status, text, body }: Answer): Tokens {
  if (status !== 200) throw new Error(`no tokens but ${status}: ${text}`)
  return { access: String(body.access_token), refresh: String(body.refresh_token) }
}

export const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bare', version: '1' } },
}

/** POSTs one JSON-RPC message: `initialize` unless another is given. */
export function callMcp(
  url: string | URL,
  token: string | undefined,
  message: unknown = INITIALIZE,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const bearer: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return postJson(url, message, { accept: 'application/json, text/event-stream', ...bearer, ...headers })
}

/** The text of a tool's result, in a session of its own. */
export async function callTool(url: string | URL, token: string, name: string, input = {}): Promise<string> {
  const opened = await callMcp(url, token)
  const session = opened.headers.get('mcp-session-id')
  if (session === null) throw new Error(`no session but ${opened.status}: ${opened.text}`)
  const headers = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }
  await callMcp(url, token, { jsonrpc: '2.0', method: 'notifications/initialized' }, headers)
  const message = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name, arguments: input } }
  const { status, text } = await callMcp(url, token, message, headers)
  const data = /^data: (\{.*\})$/m.exec(text)?.[1]
  if (data === undefined) throw new Error(`${name} was answered with ${status}: ${text}`)
  const { result } = JSON.parse(data) as { result?: { content: { text: string }[] } }
  return result?.content[0]?.text ?? ''
}
