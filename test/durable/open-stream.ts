// A client's end of one event stream: what came in, and when it was over.
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'

export interface ClientStream {
  status: number
  /** Settles when the connection of the stream is gone, whoever ended it. */
  ended: Promise<void>
  isOpen(): boolean
  /** Resolves when this data has come in; rejects when the stream ends before. */
  received(data: string): Promise<void>
  close(): void
}

export async function openStream(url: string, token: string): Promise<ClientStream> {
  const headers = { accept: 'text/event-stream', authorization: `Bearer ${token}` }
  const outgoing = httpRequest(url, { headers, agent: false }).end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  // A stream that is cut off is the ordinary case here.
  outgoing.on('error', () => {})
  response.on('error', () => {})
  let text = ''
  let open = true
  const waiting = new Set<() => void>()
  const look = () => {
    for (const check of [...waiting]) check()
  }
  response.on('data', (chunk: Buffer) => {
    text += chunk
    look()
  })
  const ended = new Promise<void>((resolve) => {
    response.once('close', () => {
      open = false
      look()
      resolve()
    })
  })
  const received = (data: string) =>
    new Promise<void>((resolve, reject) => {
      const check = () => {
        if (text.includes(`data: ${data}\n\n`)) resolve()
        else if (!open) reject(new Error(`the stream ended without ${data}`))
        else return
        waiting.delete(check)
      }
      waiting.add(check)
      check()
    })
  await received('open')
  return {
    status: response.statusCode ?? 0,
    ended,
    isOpen: () => open,
    received,
    close: () => outgoing.destroy(),
  }
}
