// What the server was asked and has not answered yet, of every kind: pages, tokens, calls, streams.
import type { Server, ServerResponse } from 'node:http'

export interface Exchanges {
  /** Resolves when none is left. */
  over(): Promise<void>
}

export function watchExchanges(server: Server): Exchanges {
  const waiting = new Set<() => void>()
  const open = new Set<ServerResponse>()

  server.on('request', ({ socket }, response) => {
    open.add(response)
    const end = (): void => {
      response.off('close', end)
      socket.off('close', end)
      open.delete(response)
      if (open.size > 0) return
      for (const resolve of waiting) resolve()
      waiting.clear()
    }
    response.once('close', end)
    // A response that waits its turn in a pipeline gets no 'close' of its own when the connection goes.
    socket.once('close', end)
  })

  return {
    over: () => (open.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.add(resolve))),
  }
}
