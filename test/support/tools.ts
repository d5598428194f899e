// The tools that every MCP server of the tests offers, whatever SDK serves them.
import { setTimeout as delay } from 'node:timers/promises'

export interface ToolCall {
  input: Record<string, unknown>
  headers: Record<string, string>
  subject: string | undefined
  signal: AbortSignal
  progress(step: number, total: number, message: string): Promise<void>
}
interface Tool {
  name: string
  description: string
  inputSchema: { type: 'object'; properties: Record<string, { type: string }>; required?: string[] }
  call(call: ToolCall, held: HeldCalls): string | Promise<string>
}

const number = { type: 'number' }

export const tools: Tool[] = [
  {
    name: 'add',
    description: 'Adds two numbers.',
    inputSchema: { type: 'object', properties: { a: number, b: number }, required: ['a', 'b'] },
    call: ({ input }) => String(Number(input.a) + Number(input.b)),
  },
  {
    name: 'whoami',
    description: 'Names the subject of the token.',
    inputSchema: { type: 'object', properties: {} },
    call: ({ subject }) => subject ?? 'nobody',
  },
  {
    name: 'echo-headers',
    description: 'Returns the headers of the HTTP request as JSON.',
    inputSchema: { type: 'object', properties: {} },
    call: ({ headers }) => JSON.stringify(headers),
  },
  {
    name: 'countdown',
    description: 'Streams a progress notification for every step.',
    inputSchema: { type: 'object', properties: { from: number, interval_ms: number } },
    call: async ({ input, signal, progress }) => {
      const { from, interval_ms: intervalMs } = {
        from: 3,
        interval_ms: 5,
        ...(input as Record<string, number>),
      }
      for (let step = 1; step <= from; step += 1) {
        await delay(intervalMs, undefined, { signal })
        await progress(step, from, `${from - step}`)
      }
      return 'Lift-off.'
    },
  },
  {
    name: 'hold',
    description: 'Streams until the test lets it go.',
    inputSchema: { type: 'object', properties: {} },
    call: (call, held) => held.add(call),
  },
  {
    name: 'text',
    description: 'Returns as many characters as asked for.',
    inputSchema: { type: 'object', properties: { length: number }, required: ['length'] },
    call: ({ input }) => 'x'.repeat(Number(input.length)),
  },
]

export const descriptions = tools.map(({ call, ...description }) => description)

export async function callTool(name: string, call: ToolCall, held: HeldCalls): Promise<string> {
  const tool = tools.find((candidate) => candidate.name === name)
  if (!tool) throw new Error(`no tool ${name}`)
  return tool.call(call, held)
}

/** The `hold` calls under way at one server: the test's hand on long streams. */
export class HeldCalls {
  readonly #open = new Map<ToolCall, (text: string) => void>()
  readonly #waiting = new Set<() => void>()
  #steps = 0

  get size(): number {
    return this.#open.size
  }

  /** Settles when at least so many calls are under way. */
  opened(count = 1): Promise<void> {
    return this.#when(() => this.size >= count)
  }

  /**
   * Settles when no call is under way, because all were released or their peers went away. SDK v1 does not count
   * a dropped connection as a cancellation: look at the recorder's `outcome` there.
   */
  allGone(): Promise<void> {
    return this.#when(() => this.size === 0)
  }

  /** Sends a progress notification on every held stream. */
  async push(message: string): Promise<void> {
    this.#steps += 1
    await Promise.all([...this.#open.keys()].map((call) => call.progress(this.#steps, 1_000_000, message)))
  }

  release(text = 'released'): void {
    for (const finish of this.#open.values()) finish(text)
  }

  async add(call: ToolCall): Promise<string> {
    await call.progress(0, 1_000_000, 'held')
    try {
      return await new Promise<string>((resolve, reject) => {
        call.signal.addEventListener('abort', () => reject(new Error('the peer went away')), { once: true })
        this.#open.set(call, resolve)
        this.#changed()
      })
    } finally {
      this.#open.delete(call)
      this.#changed()
    }
  }

  #when(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!condition()) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
      check()
    })
  }

  #changed(): void {
    for (const check of [...this.#waiting]) check()
  }
}
