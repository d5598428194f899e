// An MCP server whose answers the test holds in its hand: event streams that end when it says so, and calls that wait.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Listening, listen, readBody } from '../support/http.ts'
import { type Recorder, record } from '../support/recorder.ts'

export interface HeldUpstream extends Listening {
  url: string
  recorder: Recorder
  /** How many event streams are open now. */
  streams(): number
  /** Sends an event on every open stream. */
  push(data: string): void
  /** Answers the calls that wait. */
  answer(): void
}

/** GET opens an event stream, and so does a POST of `{"method":"stream"}`; any other POST waits for `answer`. */
export async function startHeldUpstream(port?: number): Promise<HeldUpstream> {
  const streams = new Set<ServerResponse>()
  const waiting = new Set<() => void>()
  const listening = await listen(async (request, response) => {
    if (await wantsStream(request)) {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: open\n\n')
      streams.add(response)
      response.once('close', () => streams.delete(response))
      return
    }
    await new Promise<void>((resolve) => waiting.add(resolve))
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end('{"jsonrpc":"2.0","id":1,"result":{"answered":"in full"}}')
  }, port)
  return {
    ...listening,
    url: `${listening.origin}/mcp`,
    recorder: record(listening.server),
    streams: () => streams.size,
    push: (data) => {
      for (const stream of streams) stream.write(`data: ${data}\n\n`)
    },
    answer: () => {
      for (const resolve of waiting) resolve()
      waiting.clear()
    },
  }
}

async function wantsStream(request: IncomingMessage): Promise<boolean> {
  if (request.method === 'GET') return true
  const { method } = JSON.parse((await readBody(request)).toString()) as { method?: string }
  return method === 'stream'
}
