// What the server was asked and has not answered yet, of every kind: pages, tokens, calls, streams.
import type { Server } from 'node:http'

export interface Exchanges {
  /** Resolves when none is left. */
  over(): Promise<void>
}

export function watchExchanges(server: Server): Exchanges {
  const waiting = new Set<() => void>()
  let open = 0

  server.on('request', (_request, response) => {
    open += 1
    // 'close' comes once, whoever ended it.
    response.once('close', () => {
      open -= 1
      if (open > 0) return
      for (const resolve of waiting) resolve()
      waiting.clear()
    })
  })

  return {
    over: () => (open === 0 ? Promise.resolve() : new Promise((resolve) => waiting.add(resolve))),
  }
}
