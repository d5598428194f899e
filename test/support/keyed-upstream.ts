// An MCP server that knows people by keys of their own: in a header or in the query.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Listening, listen } from './http.ts'
import { createV1Endpoint } from './mcp-v1.ts'
import { type Recorder, record } from './recorder.ts'

export interface KeyedUpstream extends Listening {
  mcpUrl: string
  /** Whose each key is. May be changed while the server runs. */
  keys: Map<string, string>
  knobs: {
    /** Given in place of every answer. */
    status: number | undefined
    /** It says nothing until this is over. */
    hold: Promise<unknown> | undefined
  }
  recorder: Recorder
}

export async function startKeyedUpstream(place: {
  in: 'header' | 'query'
  name: string
  prefix?: string
}): Promise<KeyedUpstream> {
  const endpoint = createV1Endpoint()
  const keys = new Map([
    ['key-of-victim', 'victim at the upstream'],
    ['key-of-attacker', 'attacker at the upstream'],
  ])
  const knobs: KeyedUpstream['knobs'] = { status: undefined, hold: undefined }
  const listening = await listen((request, response) => handle(request, response))
  const recorder = record(listening.server)

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    await knobs.hold
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    const { prefix = '' } = place
    const sent =
      place.in === 'query' ? searchParams.get(place.name) : request.headers[place.name.toLowerCase()]
    const key = typeof sent === 'string' && sent.startsWith(prefix) ? sent.slice(prefix.length) : ''
    const subject = keys.get(key)
    if (knobs.status !== undefined) return response.writeHead(knobs.status).end()
    if (subject === undefined) return response.writeHead(401).end()
    return pathname === '/me' ? response.writeHead(204).end() : endpoint.handle(request, response, subject)
  }

  return {
    ...listening,
    mcpUrl: `${listening.origin}/mcp`,
    keys,
    knobs,
    recorder,
    close: async () => {
      await endpoint.close()
      await listening.close()
    },
  }
}
