// What the conformance suite expects of a server with every feature, as data: tools, prompts and resources by the
// names it asks for. The two SDK servers add the tools that talk back.
export interface Everything {
  readonly url: string
  close(): Promise<void>
}
type Content =
  | { type: 'text'; text: string }
  | { type: 'image'; data: string; mimeType: string }
  | { type: 'audio'; data: string; mimeType: string }
  | { type: 'resource'; resource: { uri: string; mimeType: string; text: string } }
interface Message {
  role: 'user'
  content: Content
}
interface Prompt {
  description: string
  arguments: string[]
  messages(values: Record<string, string>): Message[]
}
export interface InputSchema {
  type: 'object'
  properties?: Record<string, object>
  required?: string[]
  [keyword: string]: unknown
}

const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const SILENCE = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA='

export const text = (value: string): Content => ({ type: 'text', text: value })
const image: Content = { type: 'image', data: PIXEL, mimeType: 'image/png' }
const embedded = (uri: string, mimeType: string, value: string): Content => ({
  type: 'resource',
  resource: { uri, mimeType, text: value },
})

/** Tools whose result never changes. */
export const CONSTANT_TOOLS: Record<string, Content[]> = {
  test_simple_text: [text('This is a simple text response for testing.')],
  test_image_content: [image],
  test_audio_content: [{ type: 'audio', data: SILENCE, mimeType: 'audio/wav' }],
  test_embedded_resource: [
    embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource.'),
  ],
  test_multiple_content_types: [
    text('Multiple content types test:'),
    image,
    embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
  ],
  json_schema_2020_12_tool: [text('valid')],
}

const JSON_SCHEMA_2020_12: InputSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: { $anchor: 'addressDef', type: 'object', properties: { street: { type: 'string' } } },
  },
  properties: { address: { $ref: '#/$defs/address' }, phone: { type: 'string' }, email: { type: 'string' } },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { required: ['phone'] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
}
const SCHEMAS: Record<string, InputSchema> = {
  json_schema_2020_12_tool: JSON_SCHEMA_2020_12,
  test_header_parameter: {
    type: 'object',
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
    required: ['region'],
  },
}

export const describeTool = (name: string) => ({
  name,
  description: `Does what the suite asks of ${name}.`,
  inputSchema: SCHEMAS[name] ?? { type: 'object' as const },
})

const PROMPTS: Record<string, Prompt> = {
  test_simple_prompt: {
    description: 'A prompt without arguments.',
    arguments: [],
    messages: () => [{ role: 'user', content: text('This is a simple prompt for testing.') }],
  },
  test_prompt_with_arguments: {
    description: 'A prompt with two arguments.',
    arguments: ['arg1', 'arg2'],
    messages: ({ arg1, arg2 }) => [
      { role: 'user', content: text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`) },
    ],
  },
  test_prompt_with_embedded_resource: {
    description: 'A prompt that carries a resource.',
    arguments: ['resourceUri'],
    messages: ({ resourceUri = '' }) => [
      {
        role: 'user',
        content: embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.'),
      },
      { role: 'user', content: text('Please process the embedded resource above.') },
    ],
  },
  test_prompt_with_image: {
    description: 'A prompt that carries an image.',
    arguments: [],
    messages: () => [
      { role: 'user', content: image },
      { role: 'user', content: text('Please analyze the image above.') },
    ],
  },
}

export const listPrompts = () => ({
  prompts: Object.entries(PROMPTS).map(([name, { description, arguments: names }]) => ({
    name,
    description,
    arguments: names.map((argument) => ({ name: argument, required: true })),
  })),
})

export function getPrompt(name: string, values: Record<string, string> = {}): { messages: Message[] } {
  const prompt = PROMPTS[name]
  if (!prompt) throw new Error(`no prompt ${name}`)
  return { messages: prompt.messages(values) }
}

const RESOURCES = [
  { uri: 'test://static-text', mimeType: 'text/plain', text: 'This is the static text resource.' },
  { uri: 'test://static-binary', mimeType: 'image/png', blob: PIXEL },
  { uri: 'test://watched-resource', mimeType: 'text/plain', text: 'Watched.' },
]

export const listResources = () => ({
  resources: RESOURCES.map(({ uri, mimeType }) => ({
    uri,
    mimeType,
    name: uri,
    description: 'A test resource.',
  })),
})

export const listResourceTemplates = () => ({
  resourceTemplates: [
    { uriTemplate: 'test://template/{id}/data', name: 'template', mimeType: 'application/json' },
  ],
})

export function readResource(uri: string) {
  const resource = RESOURCES.find((candidate) => candidate.uri === uri)
  if (resource) return { contents: [resource] }
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1]
  if (id === undefined) return undefined
  const data = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` })
  return { contents: [{ uri, mimeType: 'application/json', text: data }] }
}
