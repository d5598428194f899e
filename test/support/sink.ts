// The attacker's server: it answers everything pleasantly and must never be asked anything.
import { type Listening, listen } from './http.ts'
import { type Recorder, record } from './recorder.ts'

export interface Sink extends Listening {
  url: string
  recorder: Recorder
  /** Fails if anything so much as connected. */
  assertUntouched(): void
}

export async function startSink(): Promise<Sink> {
  const listening = await listen((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'access-control-allow-origin': '*' })
    response.end('{"access_token":"from-the-sink","token_type":"Bearer"}')
  })
  const recorder = record(listening.server)
  let connections = 0
  listening.server.on('connection', () => {
    connections += 1
  })
  return {
    ...listening,
    url: `${listening.origin}/`,
    recorder,
    assertUntouched: () => {
      const seen = recorder.requests.map(({ method, url }) => `${method} ${url}`)
      if (connections > 0) throw new Error(`the sink was reached ${connections} times: ${seen.join(', ')}`)
    },
  }
}
