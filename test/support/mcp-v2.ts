// An MCP endpoint by SDK v2: stateless, revision 2026-07-28. Authentication is its caller's.
import { createMcpHandler, Server } from '@modelcontextprotocol/server'
import { sendWebResponse, toWebRequest } from './http.ts'
import type { McpEndpoint } from './mcp-v1.ts'
import { callTool, descriptions, HeldCalls } from './tools.ts'

/** `legacy: 'stateless'` also answers 2025-era clients, without sessions; by default they are refused. */
export function createV2Endpoint({ legacy = 'reject' as 'reject' | 'stateless' } = {}): McpEndpoint {
  const held = new HeldCalls()
  const handler = createMcpHandler(() => createServer(held), { legacy })
  return {
    held,
    sessions: () => 0,
    handle: async (request, response, subject) => {
      const authInfo = { token: '', clientId: '', scopes: [], extra: { subject } }
      const answer = await handler.fetch(await toWebRequest(request, response), { authInfo })
      await sendWebResponse(answer, response)
    },
    notify: async () => handler.notify.toolsChanged(),
    close: () => handler.close(),
  }
}

function createServer(held: HeldCalls): Server {
  const server = new Server(
    { name: 'test-upstream', version: '2.0.0' },
    { capabilities: { tools: { listChanged: true } } },
  )
  server.setRequestHandler('tools/list', () => ({ tools: descriptions }))
  server.setRequestHandler('tools/call', async ({ params }, { mcpReq, http }) => {
    const progressToken = mcpReq._meta?.progressToken
    const text = await callTool(
      params.name,
      {
        input: params.arguments ?? {},
        headers: Object.fromEntries(http?.req?.headers ?? []),
        subject: http?.authInfo?.extra?.subject as string | undefined,
        signal: mcpReq.signal,
        progress: async (progress, total, message) => {
          if (progressToken === undefined) return
          const notice = { progressToken, progress, total, message }
          await mcpReq.notify({ method: 'notifications/progress', params: notice })
        },
      },
      held,
    )
    return { content: [{ type: 'text', text }] }
  })
  return server
}
