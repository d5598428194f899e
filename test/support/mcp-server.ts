// MCP servers without a sign-in of their own: open to all, or behind one static key.
import type { IncomingMessage } from 'node:http'
import { type Listening, listen } from './http.ts'
import { createV1Endpoint, type McpEndpoint } from './mcp-v1.ts'
import { createV2Endpoint } from './mcp-v2.ts'
import { type Recorder, record } from './recorder.ts'

export interface StaticKey {
  in: 'header' | 'query'
  name: string
  value: string
}
export interface McpServerOptions {
  /** `v1`: SDK v1, 2025-11-25, sessions (the default). `v2`: SDK v2, 2026-07-28, stateless. */
  sdk?: 'v1' | 'v2'
  /** v1: answer with JSON instead of SSE where nothing has to be streamed. */
  jsonResponses?: boolean
  /** v2: what clients of older revisions meet. Default: `reject`. */
  legacy?: 'reject' | 'stateless'
  path?: string
  key?: StaticKey
  port?: number
}
export interface TestMcpServer extends Listening {
  url: string
  path: string
  recorder: Recorder
  endpoint: McpEndpoint
  held: McpEndpoint['held']
}

export async function startMcpServer(options: McpServerOptions = {}): Promise<TestMcpServer> {
  const { sdk = 'v1', jsonResponses = false, legacy = 'reject', path = '/mcp', key, port } = options
  const endpoint = sdk === 'v1' ? createV1Endpoint({ jsonResponses }) : createV2Endpoint({ legacy })
  const listening = await listen((request, response) => {
    if (request.url?.split('?')[0] !== path) return response.writeHead(404).end()
    if (key && !carries(request, key)) return response.writeHead(401).end()
    return endpoint.handle(request, response)
  }, port)
  const recorder = record(listening.server)
  const close = async () => {
    await endpoint.close()
    await listening.close()
  }
  return { ...listening, url: listening.origin + path, path, recorder, endpoint, held: endpoint.held, close }
}

function carries(request: IncomingMessage, { in: place, name, value }: StaticKey): boolean {
  if (place === 'header') return request.headers[name.toLowerCase()] === value
  return new URL(request.url ?? '/', 'http://localhost').searchParams.get(name) === value
}
