// Answers some of a test server's requests in its place; recorders see them all the same.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

type Listener = (request: IncomingMessage, response: ServerResponse) => void

/** `answer` returns true for what it took; everything else goes to the server as before. */
export function intercept(
  server: Server,
  answer: (request: IncomingMessage, response: ServerResponse) => boolean,
): void {
  // The server's own listener came first; recorders put themselves before it.
  const own = server.listeners('request').at(-1) as Listener
  server.off('request', own)
  server.on('request', (request, response) => {
    if (!answer(request, response)) own(request, response)
  })
}
