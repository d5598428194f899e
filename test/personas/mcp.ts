// The MCP side of a persona, on the wire of the revisions with `initialize`: a greeting, and a tool call in a session.
import type { Answer, JsonObject, Send } from './http.ts'

/** `initialize`, as the first request of every client, with or without a token. */
export function hello(send: Send, url: string, token: string | undefined, protocolVersion: string) {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'persona', version: '1' } }
  return post(send, url, token, { jsonrpc: '2.0', id: 1, method: 'initialize', params })
}

/** The text of a tool's result, in a session of its own. */
export async function callTool(
  send: Send,
  url: string,
  token: string,
  protocolVersion: string,
  name: string,
) {
  const opened = await hello(send, url, token, protocolVersion)
  const session = opened.header('mcp-session-id')
  if (session === undefined) throw new Error(`no session but ${opened.status}: ${opened.text}`)
  const { result } = message(opened)
  const negotiated = String((result as JsonObject).protocolVersion)
  // The header came with 2025-06-18.
  const version: Record<string, string> =
    negotiated >= '2025-06-18' ? { 'mcp-protocol-version': negotiated } : {}
  const headers = { ...version, 'mcp-session-id': session }
  await post(send, url, token, { jsonrpc: '2.0', method: 'notifications/initialized' }, headers)
  const call = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name, arguments: {} } }
  const answered = message(await post(send, url, token, call, headers))
  const { content } = answered.result as { content: { text: string }[] }
  return content[0]?.text
}

function post(
  send: Send,
  url: string,
  token: string | undefined,
  body: JsonObject,
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const headers = {
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...more,
  }
  return send(url, { method: 'POST', headers, body: JSON.stringify(body) })
}

/** The one JSON-RPC message of an answer, which is JSON or a stream of one event. */
function message({ status, text, body }: Answer): JsonObject {
  const data = /^data: (\{.*\})$/m.exec(text)?.[1]
  const found = data === undefined ? body : (JSON.parse(data) as JsonObject)
  if (found.result === undefined) throw new Error(`no result but ${status}: ${text}`)
  return found
}
