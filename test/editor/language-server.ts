// The real yaml-language-server, as editors run it: a child process that speaks LSP over stdio.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

export interface Place {
  readonly line: number
  readonly character: number
}

export interface Diagnostic {
  readonly message: string
  readonly range: { readonly start: Place; readonly end: Place }
}

export interface Completion {
  readonly label: string
  readonly insertText?: string
  readonly documentation?: unknown
}

export interface Editor {
  /** Opens a document that need not exist on disk; answers with the first diagnostics. `|` in the text is the cursor. */
  open(
    path: string,
    text: string,
  ): Promise<{ readonly cursor: Place; readonly diagnostics: readonly Diagnostic[] }>
  hover(path: string, at: Place): Promise<string>
  complete(path: string, at: Place): Promise<readonly Completion[]>
  close(): Promise<void>
}

type Message = {
  readonly id?: number
  readonly method?: string
  readonly params?: unknown
  readonly result?: unknown
}

export const CURSOR = '¦'

export async function startEditor(root: string): Promise<Editor> {
  const require = createRequire(import.meta.url)
  const entry = require.resolve('yaml-language-server/out/server/src/server.js')
  const child = spawn(process.execPath, [entry, '--stdio'], { stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const waiting = new Map<number, (result: unknown) => void>()
  const diagnosed = new Map<string, (found: readonly Diagnostic[]) => void>()
  let sent = 0

  child.stdout.on('data', reader(receive))

  function receive(message: Message): void {
    if (message.method === 'textDocument/publishDiagnostics') {
      const { uri, diagnostics } = message.params as { uri: string; diagnostics: readonly Diagnostic[] }
      diagnosed.get(uri)?.(diagnostics)
    } else if (message.method !== undefined && message.id !== undefined) {
      // What the server asks its editor: settings above all. One answer for each section it names.
      const { items = [] } = (message.params ?? {}) as { items?: readonly { section?: string }[] }
      write({
        id: message.id,
        result: message.method === 'workspace/configuration' ? items.map(settingsOf) : null,
      })
    } else if (message.id !== undefined) waiting.get(message.id)?.(message.result)
  }

  function write(message: object): void {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message })
    child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  }

  function request(method: string, params: unknown): Promise<unknown> {
    const id = ++sent
    return new Promise((resolve) => {
      waiting.set(id, resolve)
      write({ id, method, params })
    })
  }

  await request('initialize', {
    processId: process.pid,
    rootUri: pathToFileURL(root).href,
    capabilities: CAPABILITIES,
  })
  write({ method: 'initialized', params: {} })

  return {
    async open(path, marked) {
      const text = marked.replace(CURSOR, '')
      const uri = pathToFileURL(path).href
      const found = new Promise<readonly Diagnostic[]>((resolve) => diagnosed.set(uri, resolve))
      write({
        method: 'textDocument/didOpen',
        params: { textDocument: { uri, languageId: 'yaml', version: 1, text } },
      })
      return { cursor: cursorOf(marked), diagnostics: await found }
    },
    async hover(path, position) {
      const textDocument = { uri: pathToFileURL(path).href }
      const answer = (await request('textDocument/hover', { textDocument, position })) as
        | { contents?: string | { value?: string } }
        | undefined
      const contents = answer?.contents
      return typeof contents === 'string' ? contents : (contents?.value ?? '')
    },
    async complete(path, position) {
      const textDocument = { uri: pathToFileURL(path).href }
      const answer = (await request('textDocument/completion', { textDocument, position })) as {
        items: readonly Completion[]
      }
      return answer.items
    },
    async close() {
      await request('shutdown', undefined)
      write({ method: 'exit' })
      child.stdin.end()
      await ended
    },
  }
}

const CAPABILITIES = {
  workspace: { configuration: true },
  textDocument: {
    completion: { completionItem: { snippetSupport: true, documentationFormat: ['markdown'] } },
  },
}

/** The schema store is switched off: the schema must come from the file itself, and a test asks no network. */
const SETTINGS: Readonly<Record<string, unknown>> = {
  yaml: { validate: true, hover: true, completion: true, schemaStore: { enable: false } },
}

const settingsOf = ({ section = '' }: { section?: string }) => SETTINGS[section] ?? {}

function cursorOf(marked: string): Place {
  const before = marked.slice(0, Math.max(0, marked.indexOf(CURSOR))).split('\n')
  return { line: before.length - 1, character: before.at(-1)?.length ?? 0 }
}

function reader(receive: (message: Message) => void): (chunk: Buffer) => void {
  let held = Buffer.alloc(0)
  return (chunk) => {
    held = Buffer.concat([held, chunk])
    for (;;) {
      const end = held.indexOf('\r\n\r\n')
      const length = Number(/Content-Length: (\d+)/i.exec(held.subarray(0, Math.max(0, end)).toString())?.[1])
      if (end < 0 || held.length < end + 4 + length) return
      const body = held.subarray(end + 4, end + 4 + length).toString()
      held = held.subarray(end + 4 + length)
      receive(JSON.parse(body) as Message)
    }
  }
}
