// A server with every feature by SDK v1, revision 2025-11-25: sessions, resumable streams, and tools that ask the
// client back while they run.
import { setTimeout as delay } from 'node:timers/promises'
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import {
  CallToolRequestSchema,
  type CallToolResult,
  CompleteRequestSchema,
  CreateMessageResultSchema,
  ElicitResultSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
  type ServerNotification,
  type ServerRequest,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { listen } from '../support/http.ts'
import { createV1Endpoint } from '../support/mcp-v1.ts'
import {
  CONSTANT_TOOLS,
  describeTool,
  type Everything,
  getPrompt,
  listPrompts,
  listResources,
  listResourceTemplates,
  readResource,
} from './everything.ts'

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>
type Input = Record<string, unknown>
type Talk = (extra: Extra, input: Input) => Promise<string>

export async function startEverythingV1(): Promise<Everything> {
  const endpoint = createV1Endpoint({ createServer, eventStore: new InMemoryEventStore() })
  const listening = await listen((request, response) => endpoint.handle(request, response))
  const close = async () => {
    await endpoint.close()
    await listening.close()
  }
  return { url: `${listening.origin}/mcp`, close }
}

const string = { type: 'string' }
const DEFAULTS = {
  name: { type: 'string', default: 'John Doe' },
  age: { type: 'integer', default: 30 },
  score: { type: 'number', default: 95.5 },
  status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
  verified: { type: 'boolean', default: true },
}
const OPTIONS = ['option1', 'option2', 'option3']
const TITLED = OPTIONS.map((option) => ({ const: option, title: `The ${option}` }))
const ENUMS = {
  untitledSingle: { type: 'string', enum: OPTIONS },
  titledSingle: { type: 'string', oneOf: TITLED },
  legacyEnum: { type: 'string', enum: OPTIONS, enumNames: OPTIONS },
  untitledMulti: { type: 'array', items: { type: 'string', enum: OPTIONS } },
  titledMulti: { type: 'array', items: { anyOf: TITLED } },
}

const TALKING_TOOLS: Record<string, Talk> = {
  test_tool_with_logging: async (extra) => {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data } })
      await delay(20)
    }
    return 'logged'
  },
  test_tool_with_progress: async ({ sendNotification, _meta }) => {
    const progressToken = _meta?.progressToken
    for (const progress of [0, 50, 100]) {
      if (progressToken === undefined) break
      await sendNotification({
        method: 'notifications/progress',
        params: { progressToken, progress, total: 100 },
      })
      await delay(20)
    }
    return 'done'
  },
  test_error_handling: async () => {
    throw new Error('This tool intentionally returns an error for testing')
  },
  test_sampling: async (extra, { prompt }) => {
    const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: String(prompt) } }]
    const request = { method: 'sampling/createMessage' as const, params: { messages, maxTokens: 100 } }
    const { content } = await extra.sendRequest(request, CreateMessageResultSchema)
    return `LLM response: ${JSON.stringify(content)}`
  },
  test_elicitation: (extra, { message }) =>
    elicit(extra, String(message), { username: string, email: string }, ['username', 'email']),
  test_elicitation_sep1034_defaults: (extra) => elicit(extra, 'Defaults?', DEFAULTS),
  test_elicitation_sep1330_enums: (extra) => elicit(extra, 'Choices?', ENUMS),
  // The stream ends while the call goes on: its result waits for the client's return with Last-Event-ID.
  test_reconnection: async (extra) => {
    extra.closeSSEStream?.()
    await delay(20)
    return 'resumed'
  },
}

async function elicit(extra: Extra, message: string, properties: Input, required: string[] = []) {
  const requestedSchema = { type: 'object', properties, required }
  // The SDK's types know fewer schemas than its own parser.
  const request = { method: 'elicitation/create', params: { message, requestedSchema } } as ServerRequest
  const { action, content } = await extra.sendRequest(request, ElicitResultSchema)
  return `Elicitation completed: action=${action}, content=${JSON.stringify(content)}`
}

async function callTool(name: string, extra: Extra, input: Input): Promise<CallToolResult> {
  const constant = CONSTANT_TOOLS[name]
  if (constant) return { content: constant }
  const talk = TALKING_TOOLS[name]
  if (!talk) throw new Error(`no tool ${name}`)
  return talk(extra, input).then(
    (said) => ({ content: [{ type: 'text', text: said }] }),
    (error: Error) => ({ content: [{ type: 'text', text: error.message }], isError: true }),
  )
}

function createServer(): Server {
  const capabilities = {
    tools: {},
    prompts: {},
    resources: { subscribe: true },
    logging: {},
    completions: {},
  }
  const server = new Server({ name: 'everything', version: '1.0.0' }, { capabilities })
  const tools = [...Object.keys(CONSTANT_TOOLS), ...Object.keys(TALKING_TOOLS)].map(describeTool)
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }))
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) =>
    callTool(params.name, extra, params.arguments ?? {}),
  )
  server.setRequestHandler(ListPromptsRequestSchema, listPrompts)
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => getPrompt(params.name, params.arguments))
  server.setRequestHandler(CompleteRequestSchema, () => ({ completion: { values: ['paris', 'park'] } }))
  server.setRequestHandler(ListResourcesRequestSchema, listResources)
  server.setRequestHandler(ListResourceTemplatesRequestSchema, listResourceTemplates)
  server.setRequestHandler(ReadResourceRequestSchema, ({ params }) => {
    const found = readResource(params.uri)
    if (!found) throw new Error(`no resource ${params.uri}`)
    return found
  })
  server.setRequestHandler(SubscribeRequestSchema, () => ({}))
  server.setRequestHandler(UnsubscribeRequestSchema, () => ({}))
  return server
}
