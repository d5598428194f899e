// An MCP server whose authorization server gives tokens to programs: client credentials, token exchange, JWT bearer. It
// is its own identity provider too. Who has a token is in the token's record, so that tests see whose went where.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import { type Listening, listen, readForm } from './http.ts'
import { createV1Endpoint } from './mcp-v1.ts'
import { type Recorder, record } from './recorder.ts'

export const CLIENT = { id: 'gateway', secret: 'between-servers' } as const

/** May be changed while the server runs. */
export interface ServiceKnobs {
  /** Undefined: it does not say. */
  lifetimeSeconds: number | undefined
  /** Given in place of an answer of the token endpoint. */
  answer:
    | { status: number; body: string | Record<string, unknown>; headers?: Record<string, string> }
    | undefined
  /** The token endpoint says nothing until this is over. */
  hold: Promise<unknown> | undefined
  /** Where the keys of those who sign subject tokens are. Undefined: any token is taken for the name of its subject. */
  jwksUri: string | undefined
  /** MCP answers 401 to every token, even to fresh ones. */
  refusesAll: boolean
}
export interface ServiceUpstream extends Listening {
  mcpUrl: string
  tokenEndpoint: string
  knobs: ServiceKnobs
  recorder: Recorder
  /** Tokens that the MCP server takes now, each with whose it is. */
  tokens: Map<string, string>
  /** The latest subject token, verified. */
  subjects: { header: unknown; payload: JWTPayload }[]
  /** Requests to the token endpoint, by grant type. */
  requests(grant: string): URLSearchParams[]
}

const PREFIX = 'urn:ietf:params:oauth:'

export async function startServiceUpstream(): Promise<ServiceUpstream> {
  const endpoint = createV1Endpoint()
  const tokens = new Map<string, string>()
  const idJags = new Map<string, string>()
  const subjects: ServiceUpstream['subjects'] = []
  const knobs: ServiceKnobs = {
    lifetimeSeconds: 3600,
    answer: undefined,
    hold: undefined,
    jwksUri: undefined,
    refusesAll: false,
  }
  const listening = await listen((request, response) => {
    const path = request.url?.split('?')[0]
    if (path === '/token') return token(request, response)
    return path === '/mcp' ? mcp(request, response) : response.writeHead(404).end()
  })
  const recorder = record(listening.server)

  function mcp(request: IncomingMessage, response: ServerResponse): unknown {
    const presented = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const subject = knobs.refusesAll ? undefined : tokens.get(presented)
    if (subject !== undefined) return endpoint.handle(request, response, subject)
    return response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
  }

  async function token(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const form = await readForm(request)
    await knobs.hold
    const { answer } = knobs
    if (answer !== undefined) {
      const body = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
      return response
        .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
        .end(body)
    }
    const basic = `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}`
    if (request.headers.authorization !== basic) return json(response, 401, { error: 'invalid_client' })
    const granted = await grant(form).catch(() => undefined)
    return granted === undefined
      ? json(response, 400, { error: 'invalid_grant' })
      : json(response, 200, granted)
  }

  async function grant(form: URLSearchParams): Promise<Record<string, unknown> | undefined> {
    const type = form.get('grant_type')
    if (type === 'client_credentials') return issue('the gateway', form)
    if (type === `${PREFIX}grant-type:jwt-bearer`) {
      const subject = idJags.get(form.get('assertion') ?? '')
      return subject === undefined ? undefined : issue(subject, form)
    }
    if (type !== `${PREFIX}grant-type:token-exchange`) return undefined
    const subject = await subjectOf(form)
    if (form.get('requested_token_type') !== `${PREFIX}token-type:id-jag`)
      return { ...issue(subject, form), issued_token_type: `${PREFIX}token-type:access_token` }
    const idJag = `id-jag-${randomBytes(8).toString('hex')}`
    idJags.set(idJag, subject)
    return { access_token: idJag, issued_token_type: `${PREFIX}token-type:id-jag`, token_type: 'N_A' }
  }

  async function subjectOf(form: URLSearchParams): Promise<string> {
    const presented = form.get('subject_token') ?? ''
    if (knobs.jwksUri === undefined) {
      subjects.push({ header: decodeProtectedHeader(presented), payload: decodeJwt(presented) })
    } else {
      const keys = createRemoteJWKSet(new URL(knobs.jwksUri))
      const { payload, protectedHeader } = await jwtVerify(presented, keys, { audience: tokenEndpoint })
      subjects.push({ header: protectedHeader, payload })
    }
    return String(subjects.at(-1)?.payload.sub)
  }

  function issue(subject: string, form: URLSearchParams): Record<string, unknown> {
    const value = `service-${randomBytes(12).toString('hex')}`
    tokens.set(value, subject)
    const { lifetimeSeconds } = knobs
    return {
      access_token: value,
      token_type: 'Bearer',
      ...(lifetimeSeconds !== undefined && { expires_in: lifetimeSeconds }),
      ...(form.has('scope') && { scope: form.get('scope') }),
    }
  }

  const tokenEndpoint = `${listening.origin}/token`
  return {
    ...listening,
    mcpUrl: `${listening.origin}/mcp`,
    tokenEndpoint,
    knobs,
    recorder,
    tokens,
    subjects,
    requests: (wanted) =>
      recorder
        .to('POST /token')
        .map(({ form }) => form)
        .filter((form) => form.get('grant_type')?.endsWith(wanted)),
    close: async () => {
      await endpoint.close()
      await listening.close()
    },
  }
}

function json(response: ServerResponse, status: number, value: Record<string, unknown>): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
