// An OAuth client by hand, for what the SDKs hide: which parameters go out, and what exactly comes back.
import { createHash, randomBytes } from 'node:crypto'
import { Browser } from '../support/browser.ts'
import type { Page } from '../support/page.ts'
import { type Person, type SignIn, signIn } from '../support/person.ts'

export interface TokenAnswer {
  status: number
  body: Record<string, unknown>
}
export interface OAuthClient {
  id: string
  redirectUri: string
  /** Whose challenge every authorization request of this client carries. */
  verifier: string
  /** A good authorization request; a parameter set to undefined is left out. */
  authorizeUrl(change?: Record<string, string | undefined>): string
  /** A browser that stops at this client's redirect URI. */
  browser(): Browser
  /** Opens screen 1 and stays there. */
  open(browser: Browser, change?: Record<string, string | undefined>): Promise<Page>
  /** Goes all the way, as this person. */
  signIn(browser: Browser, person: Person, change?: Record<string, string | undefined>): Promise<SignIn>
  token(fields: Record<string, string>): Promise<TokenAnswer>
  /** With the redirect URI that the request had, if it was another than the first. */
  redeem(callback: URL, redirectUri?: string): Promise<TokenAnswer>
}

export async function registerClient(
  gatewayUrl: string,
  metadata: Record<string, unknown> = {},
): Promise<OAuthClient> {
  const redirectUri = 'http://127.0.0.1:3118/callback'
  const registered = await fetch(`${gatewayUrl}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'By hand',
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'none',
      ...metadata,
    }),
  })
  const { client_id: id } = (await registered.json()) as { client_id: string }
  return handMade(gatewayUrl, id, redirectUri)
}

function handMade(gatewayUrl: string, id: string, redirectUri: string): OAuthClient {
  const verifier = randomBytes(32).toString('base64url')

  const authorizeUrl: OAuthClient['authorizeUrl'] = (change = {}) => {
    const url = new URL('/authorize', gatewayUrl)
    const parameters = {
      response_type: 'code',
      client_id: id,
      redirect_uri: redirectUri,
      state: 'state of the client',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...change,
    }
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined) url.searchParams.set(name, value)
    }
    return url.href
  }

  const token = async (fields: Record<string, string>): Promise<TokenAnswer> => {
    const body = new URLSearchParams({ client_id: id, ...fields })
    const answer = await fetch(`${gatewayUrl}/token`, { method: 'POST', body })
    return { status: answer.status, body: (await answer.json()) as TokenAnswer['body'] }
  }

  return {
    id,
    redirectUri,
    verifier,
    authorizeUrl,
    browser: () => new Browser({ stopAt: [redirectUri] }),
    open: (browser, change) => browser.goto(authorizeUrl(change)),
    signIn: (browser, person, change) => signIn(browser, authorizeUrl(change), person),
    token,
    redeem: (callback, sentRedirectUri = redirectUri) =>
      token({
        grant_type: 'authorization_code',
        code: callback.searchParams.get('code') ?? '',
        code_verifier: verifier,
        redirect_uri: sentRedirectUri,
      }),
  }
}

/** The request that every MCP server answers without knowing the client. */
export const HELLO = {
  jsonrpc: '2.0',
  id: 'hello-1',
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'by-hand', version: '1' } },
} as const

/** One MCP request as it goes over the wire. */
export function mcpRequest(
  url: string,
  token: string | undefined,
  init: RequestInit & { message?: unknown } = {},
): Promise<Response> {
  const { message = HELLO, headers, ...rest } = init
  const method = rest.method ?? 'POST'
  return fetch(url, {
    ...rest,
    method,
    headers: {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(method === 'POST' && { body: typeof message === 'string' ? message : JSON.stringify(message) }),
  })
}

export interface Challenge {
  status: number
  /** The parameters of the Bearer challenge. */
  parameters: Record<string, string>
}

/** What a request without good standing is told. */
export async function challengeOf(answer: Response): Promise<Challenge> {
  await answer.arrayBuffer()
  const header = answer.headers.get('www-authenticate') ?? ''
  const parameters = Object.fromEntries(
    [...header.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name, value]) => [name ?? '', value ?? '']),
  )
  return { status: answer.status, parameters }
}
