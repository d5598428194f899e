// The demo's MCP endpoint: official SDK, Streamable HTTP with sessions, open only to tokens of its own
// authorization server that were issued for exactly this resource (RFC 8707).
import { randomUUID } from 'node:crypto'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { tools } from './tools.mjs'

export function createMcpEndpoint({ issuer, url, provider }) {
  const sessions = new Map()
  const metadataUrl = `${issuer}/.well-known/oauth-protected-resource/mcp`

  async function handle(request, response) {
    const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
    const grant = token && (await provider.AccessToken.find(token))
    if (!grant || grant.aud !== url) {
      const error = token ? ', error="invalid_token"' : ''
      const challenge = `Bearer resource_metadata="${metadataUrl}", scope="tools"${error}`
      return response.writeHead(401, { 'www-authenticate': challenge }).end()
    }
    const subject = grant.accountId
    request.auth = { token, clientId: grant.clientId, scopes: [...grant.scopes], extra: { subject } }

    const sessionId = request.headers['mcp-session-id']
    const session = sessions.get(sessionId)
    if (sessionId && session?.subject !== subject) return response.writeHead(404).end()
    const transport = session?.transport ?? (await open(subject))
    return transport.handleRequest(request, response)
  }

  // The transport itself refuses anything but `initialize`, which makes it a session.
  async function open(subject) {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => sessions.set(id, { transport, subject }),
    })
    transport.onclose = () => sessions.delete(transport.sessionId)
    await createServer().connect(transport)
    return transport
  }

  async function close() {
    await Promise.all([...sessions.values()].map(({ transport }) => transport.close()))
  }

  return { handle, close }
}

function createServer() {
  const server = new Server({ name: 'demo-upstream', version: '1.0.0' }, { capabilities: { tools: {} } })
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: tools.map(({ call, ...description }) => description),
  }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const tool = tools.find(({ name }) => name === params.name)
    if (!tool) return { isError: true, content: [{ type: 'text', text: `There is no tool ${params.name}.` }] }
    return { content: [{ type: 'text', text: await tool.call(params.arguments ?? {}, extra) }] }
  })
  return server
}
