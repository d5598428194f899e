// A server with every feature by SDK v2, revision 2026-07-28: stateless, with listen streams, results that ask for
// input, and a parameter that travels in a header.
import { setTimeout as delay } from 'node:timers/promises'
import {
  type CallToolResult,
  createMcpHandler,
  createRequestStateCodec,
  fromJsonSchema,
  type InputRequests,
  type InputRequiredResult,
  inputRequired,
  type McpHttpHandler,
  McpServer,
  ResourceNotFoundError,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { listen, sendWebResponse, toWebRequest } from '../support/http.ts'
import {
  CONSTANT_TOOLS,
  describeTool,
  type Everything,
  getPrompt,
  listPrompts,
  listResources,
  listResourceTemplates,
  readResource,
  text,
} from './everything.ts'

type Request = ServerContext['mcpReq']
type Act = (request: Request, notify: McpHttpHandler['notify']) => Promise<InputRequiredResult | undefined>

export async function startEverythingV2(): Promise<Everything> {
  const handler: McpHttpHandler = createMcpHandler(() => createServer(handler.notify), { legacy: 'reject' })
  const listening = await listen(async (request, response) => {
    await sendWebResponse(await handler.fetch(await toWebRequest(request, response)), response)
  })
  const close = async () => {
    await handler.close()
    await listening.close()
  }
  return { url: `${listening.origin}/mcp`, close }
}

const elicit = (message: string, field: string) =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: 'object', properties: { [field]: { type: 'string' } }, required: [field] },
  })
const sample = (question: string) =>
  inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: question } }],
    maxTokens: 50,
  })
const name = elicit('What is your name?', 'name')
const confirmation = { confirm: elicit('Please confirm', 'ok') }

/** What each asks of the client, round by round. */
const ASKING_TOOLS: Record<string, InputRequests[]> = {
  test_input_required_result_elicitation: [{ user_name: name }],
  test_input_required_result_sampling: [{ capital_question: sample('What is the capital of France?') }],
  test_input_required_result_list_roots: [{ client_roots: inputRequired.listRoots() }],
  test_input_required_result_request_state: [confirmation],
  test_input_required_result_tampered_state: [confirmation],
  test_input_required_result_capabilities: [{ capital_question: sample('What is the capital of France?') }],
  test_input_required_result_multiple_inputs: [
    { user_name: name, greeting: sample('Generate a greeting'), client_roots: inputRequired.listRoots() },
  ],
  test_input_required_result_multi_round: [
    { step1: name },
    { step2: elicit('What is your favorite color?', 'color') },
  ],
}
const PROMPT_QUESTIONS: InputRequests[] = [{ user_context: elicit('Which context?', 'context') }]

const rounds = createRequestStateCodec<number>({ key: 'a key of the tests, 32 bytes long' })

/** The next round, or undefined when all have been answered. The state is the number of the round asked last. */
async function ask(questions: InputRequests[], { inputResponses = {}, requestState }: Request) {
  const asked = requestState<number>() ?? 0
  const answered = Object.keys(questions[asked] ?? {}).every((key) => key in inputResponses)
  const next = answered ? asked + 1 : asked
  const inputRequests = questions[next]
  return inputRequests && inputRequired({ inputRequests, requestState: await rounds.mint(next) })
}

const ACTING_TOOLS: Record<string, Act> = {
  test_tool_with_progress: async ({ notify, _meta }) => {
    const progressToken = _meta?.progressToken
    for (const progress of [0, 50, 100]) {
      if (progressToken === undefined) break
      await notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } })
      await delay(20)
    }
    return undefined
  },
  test_error_handling: async () => {
    throw new Error('This tool intentionally returns an error for testing')
  },
  // The SDK refuses to ask what the client did not say it can answer.
  test_missing_capability: (request) => ask([{ question: sample('Can you?') }], request),
  test_streaming_elicitation: (request) => ask([confirmation], request),
  test_logging_tool: async ({ log }) => {
    await log('info', 'only for those who asked')
    return undefined
  },
  test_trigger_tool_change: async (_request, notify) => {
    notify.toolsChanged()
    return undefined
  },
  test_trigger_prompt_change: async (_request, notify) => {
    notify.promptsChanged()
    return undefined
  },
  test_header_parameter: async () => undefined,
  ...Object.fromEntries(
    Object.entries(ASKING_TOOLS).map(([tool, questions]) => [
      tool,
      (request: Request) => ask(questions, request),
    ]),
  ),
}

function createServer(notify: McpHttpHandler['notify']): McpServer {
  const listChanged = true
  const capabilities = {
    tools: { listChanged },
    prompts: { listChanged },
    resources: {},
    logging: {},
    completions: {},
  }
  const requestState = { verify: rounds.verify }
  const server = new McpServer({ name: 'everything', version: '2.0.0' }, { capabilities, requestState })
  const register = (
    tool: string,
    act: (request: Request) => Promise<CallToolResult | InputRequiredResult>,
  ) => {
    const { description, inputSchema } = describeTool(tool)
    server.registerTool(
      tool,
      { description, inputSchema: fromJsonSchema(inputSchema) },
      (_input, { mcpReq }) => act(mcpReq),
    )
  }
  for (const [tool, content] of Object.entries(CONSTANT_TOOLS)) register(tool, async () => ({ content }))
  for (const [tool, act] of Object.entries(ACTING_TOOLS)) {
    register(tool, async (request) => (await act(request, notify)) ?? { content: [text('state-ok')] })
  }
  addPromptsAndResources(server.server)
  return server
}

function addPromptsAndResources(server: McpServer['server']): void {
  server.setRequestHandler('prompts/list', listPrompts)
  server.setRequestHandler('prompts/get', async ({ params }, { mcpReq }) => {
    if (params.name !== 'test_input_required_result_prompt') return getPrompt(params.name, params.arguments)
    return (await ask(PROMPT_QUESTIONS, mcpReq)) ?? getPrompt('test_simple_prompt')
  })
  server.setRequestHandler('completion/complete', () => ({ completion: { values: ['paris', 'park'] } }))
  server.setRequestHandler('resources/list', listResources)
  server.setRequestHandler('resources/templates/list', listResourceTemplates)
  server.setRequestHandler('resources/read', ({ params }) => {
    const found = readResource(params.uri)
    if (!found) throw new ResourceNotFoundError(params.uri)
    return found
  })
}
