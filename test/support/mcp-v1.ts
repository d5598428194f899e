// An MCP endpoint by SDK v1: Streamable HTTP with sessions, revision 2025-11-25. Authentication is its caller's.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import {
  type EventStore,
  StreamableHTTPServerTransport,
} from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { callTool, descriptions, HeldCalls } from './tools.ts'

export interface McpEndpoint {
  held: HeldCalls
  /** Open sessions; always 0 for a stateless server. */
  sessions(): number
  handle(request: IncomingMessage, response: ServerResponse, subject?: string): Promise<void>
  /** Sends `notifications/tools/list_changed` outside any request: on GET or listen streams. */
  notify(): Promise<void>
  close(): Promise<void>
}

export interface V1Options {
  jsonResponses?: boolean
  /** One per session. */
  createServer?: (held: HeldCalls) => Server
  /** Makes the streams resumable: events get ids, and `Last-Event-ID` is understood. */
  eventStore?: EventStore
}

export function createV1Endpoint(options: V1Options = {}): McpEndpoint {
  const { jsonResponses = false, createServer = createToolServer, eventStore } = options
  const held = new HeldCalls()
  const sessions = new Map<string, { server: Server; transport: StreamableHTTPServerTransport }>()

  const open = async () => {
    const server = createServer(held)
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse: jsonResponses,
      ...(eventStore && { eventStore, retryInterval: 50 }),
      onsessioninitialized: (id) => {
        sessions.set(id, { server, transport })
      },
    })
    transport.onclose = () => sessions.delete(transport.sessionId ?? '')
    // The SDK's own classes disagree under exactOptionalPropertyTypes (`onclose`).
    await server.connect(transport as Parameters<Server['connect']>[0])
    return transport
  }

  return {
    held,
    sessions: () => sessions.size,
    handle: async (request, response, subject) => {
      const id = request.headers['mcp-session-id']?.toString()
      const transport = id === undefined ? await open() : sessions.get(id)?.transport
      if (!transport) {
        response.writeHead(404).end()
        return
      }
      const auth = { token: '', clientId: '', scopes: [], extra: { subject } }
      await transport.handleRequest(Object.assign(request, { auth }), response)
    },
    notify: async () => {
      await Promise.all([...sessions.values()].map(({ server }) => server.sendToolListChanged()))
    },
    close: async () => {
      await Promise.all([...sessions.values()].map(({ transport }) => transport.close()))
    },
  }
}

function createToolServer(held: HeldCalls): Server {
  const server = new Server(
    { name: 'test-upstream', version: '1.0.0' },
    { capabilities: { tools: { listChanged: true } } },
  )
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: descriptions }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const progressToken = extra._meta?.progressToken
    const text = await callTool(
      params.name,
      {
        input: params.arguments ?? {},
        headers: flat(extra.requestInfo?.headers ?? {}),
        subject: extra.authInfo?.extra?.subject as string | undefined,
        signal: extra.signal,
        progress: async (progress, total, message) => {
          if (progressToken === undefined) return
          const notice = { progressToken, progress, total, message }
          await extra.sendNotification({ method: 'notifications/progress', params: notice })
        },
      },
      held,
    )
    return { content: [{ type: 'text', text }] }
  })
  return server
}

const flat = (headers: Record<string, string | string[] | undefined>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
