// A look-alike of GitHub's OAuth App endpoints and MCP server, with GitHub's habits: form-encoded answers unless
// JSON is asked for, errors with status 200, tokens that neither expire nor refresh, ten of them per user and app,
// and an MCP URL that ends in a slash.
import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Listening, listen, readForm } from './http.ts'
import { createV1Endpoint, type McpEndpoint } from './mcp-v1.ts'
import { type Recorder, record } from './recorder.ts'

/** May be changed while the server runs. */
export interface GithubKnobs {
  clientId: string
  clientSecret: string
  /** Who is signed in when no page is shown. */
  login: string
  /** Show a page with a name field, Authorize and Cancel; without it, every request is approved at once. */
  page: boolean
  /** Ignore `Accept: application/json`, as some ASes do. */
  alwaysForm: boolean
  /** What `/mcp` without its slash answers. */
  withoutSlash: 404 | 301
  /** Answer the token request with this instead. */
  tokenReply: { status: number; type: string; body: string } | undefined
  /** Never answer the token request. */
  hang: boolean
  /** Answer the token request when this is over. */
  hold: Promise<unknown> | undefined
  delayMs: number
}
interface Token {
  token: string
  login: string
  scope: string
}
type Code = Omit<Token, 'token'> & { redirectUri: string; challenge: string | undefined }

export interface Github extends Listening {
  authorizationEndpoint: string
  tokenEndpoint: string
  mcpUrl: string
  knobs: GithubKnobs
  recorder: Recorder
  endpoint: McpEndpoint
  held: McpEndpoint['held']
  /** Living tokens, oldest first. */
  tokens(): Token[]
  revoke(token: string): void
}

const TOKENS_PER_USER = 10

export async function startGithub(options: Partial<GithubKnobs> & { port?: number } = {}): Promise<Github> {
  const { port, ...given } = options
  const knobs: GithubKnobs = {
    clientId: 'Iv1.lookalike',
    clientSecret: 'github-client-secret',
    login: 'octocat',
    page: false,
    alwaysForm: false,
    withoutSlash: 404,
    tokenReply: undefined,
    hang: false,
    hold: undefined,
    delayMs: 0,
    ...given,
  }
  const state = { codes: new Map<string, Code>(), tokens: [] as Token[] }
  const endpoint = createV1Endpoint()
  const listening = await listen((request, response) => {
    const path = request.url?.split('?')[0] ?? ''
    if (path === '/login/oauth/authorize') return authorize(request, response, knobs, state.codes)
    if (path === '/login/oauth/access_token') return exchange(request, response, knobs, state)
    if (path === '/mcp/') return serveMcp(request, response, state.tokens, endpoint)
    if (path === '/mcp' && knobs.withoutSlash === 301)
      return response.writeHead(301, { location: '/mcp/' }).end()
    return response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not Found</h1>')
  }, port)
  return {
    ...listening,
    authorizationEndpoint: `${listening.origin}/login/oauth/authorize`,
    tokenEndpoint: `${listening.origin}/login/oauth/access_token`,
    mcpUrl: `${listening.origin}/mcp/`,
    knobs,
    recorder: record(listening.server),
    endpoint,
    held: endpoint.held,
    tokens: () => [...state.tokens],
    revoke: (token) => {
      state.tokens = state.tokens.filter((entry) => entry.token !== token)
    },
    close: async () => {
      await endpoint.close()
      await listening.close()
    },
  }
}

async function authorize(
  request: IncomingMessage,
  response: ServerResponse,
  knobs: GithubKnobs,
  codes: Map<string, Code>,
) {
  const query = new URL(request.url ?? '', 'http://github').searchParams
  const redirectUri = query.get('redirect_uri') ?? ''
  if (query.get('client_id') !== knobs.clientId || !URL.canParse(redirectUri)) {
    return response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not Found</h1>')
  }
  const redirect = (parameters: Record<string, string>) => {
    const target = new URL(redirectUri)
    for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, value)
    const state = query.get('state')
    if (state !== null) target.searchParams.set('state', state)
    response.writeHead(302, { location: target.href }).end()
  }
  const form = request.method === 'POST' ? await readForm(request) : undefined
  if (knobs.page && !form) return showPage(response, query.get('scope') ?? '')
  if (form?.get('authorize') === '0') {
    const description = 'The user has denied your application access.'
    return redirect({ error: 'access_denied', error_description: description })
  }
  const code = randomBytes(10).toString('hex')
  codes.set(code, {
    redirectUri,
    login: form?.get('login') || knobs.login,
    scope: query.get('scope') ?? '',
    challenge: query.get('code_challenge') ?? undefined,
  })
  return redirect({ code })
}

function showPage(response: ServerResponse, scope: string) {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
  response.end(`<!doctype html><title>Authorize application</title><h1>Authorize application</h1><p>Scopes: ${scope}</p>
<form method="post"><label>Account <input name="login" value="octocat"></label>
<button name="authorize" value="1">Authorize</button><button name="authorize" value="0">Cancel</button></form>`)
}

async function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  knobs: GithubKnobs,
  state: { codes: Map<string, Code>; tokens: Token[] },
) {
  const form = await readForm(request)
  if (knobs.hang) return
  await knobs.hold
  if (knobs.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, knobs.delayMs))
  if (knobs.tokenReply) {
    const { status, type, body } = knobs.tokenReply
    return response.writeHead(status, { 'content-type': type }).end(body)
  }
  const answer = redeem(form, request.headers.authorization, knobs, state)
  const wantsJson = request.headers.accept?.includes('application/json') && !knobs.alwaysForm
  const type = wantsJson
    ? 'application/json; charset=utf-8'
    : 'application/x-www-form-urlencoded; charset=utf-8'
  // GitHub answers 200 whether it worked or not.
  response.writeHead(200, { 'content-type': type })
  return response.end(wantsJson ? JSON.stringify(answer) : new URLSearchParams(answer).toString())
}

function redeem(
  form: URLSearchParams,
  authorization: string | undefined,
  knobs: GithubKnobs,
  state: { codes: Map<string, Code>; tokens: Token[] },
): Record<string, string> {
  const [id, secret] = credentials(form, authorization)
  if (id !== knobs.clientId || secret !== knobs.clientSecret) return failure('incorrect_client_credentials')
  const code = state.codes.get(form.get('code') ?? '')
  if (!code) return failure('bad_verification_code')
  const redirectUri = form.get('redirect_uri')
  if (redirectUri !== null && redirectUri !== code.redirectUri) return failure('redirect_uri_mismatch')
  const verifier = createHash('sha256').update(form.get('code_verifier') ?? '')
  if (code.challenge !== undefined && verifier.digest('base64url') !== code.challenge) {
    return failure('bad_verification_code')
  }
  state.codes.delete(form.get('code') ?? '')
  const { login } = code
  const scope = code.scope.split(/[ ,]+/).join(',')
  const token = `gho_${randomBytes(18).toString('hex')}`
  state.tokens.push({ token, login, scope })
  const ofUser = state.tokens.filter((entry) => entry.login === login && entry.scope === scope)
  const oldest = ofUser.length > TOKENS_PER_USER ? ofUser[0] : undefined
  state.tokens = state.tokens.filter((entry) => entry !== oldest)
  return { access_token: token, scope, token_type: 'bearer' }
}

function credentials(form: URLSearchParams, authorization?: string): (string | undefined)[] {
  const basic = /^Basic (.+)$/i.exec(authorization ?? '')?.[1]
  if (!basic) return [form.get('client_id') ?? undefined, form.get('client_secret') ?? undefined]
  return Buffer.from(basic, 'base64').toString().split(':').map(decodeURIComponent)
}

const failure = (error: string) => ({
  error,
  error_description: `The request failed: ${error}.`,
  error_uri: `https://docs.github.com/apps/troubleshooting#${error}`,
})

async function serveMcp(
  request: IncomingMessage,
  response: ServerResponse,
  tokens: Token[],
  endpoint: McpEndpoint,
) {
  const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const found = tokens.find((entry) => entry.token === token)
  if (found) return endpoint.handle(request, response, found.login)
  const error = token === undefined ? 'invalid_request' : 'invalid_token'
  const challenge = `Bearer error="${error}", error_description="No valid access token was provided in this request"`
  return response
    .writeHead(401, { 'www-authenticate': challenge, 'content-type': 'text/plain' })
    .end('unauthorized\n')
}
