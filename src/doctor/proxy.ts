// Whether the way out is there: without it every host looks as if it were down.
import { connect } from 'node:net'
import { type Finding, fail, ok } from './finding.ts'
import { inWords } from './observe.ts'

const PATIENCE_MS = 8_000

export async function checkProxy({ origin, protocol, hostname, port }: URL): Promise<Finding> {
  const scope = 'egress.proxy'
  const standard = protocol === 'https:' ? 443 : 80
  const refusal = await connectError(hostname.replace(/^\[|\]$/g, ''), Number(port) || standard)
  return refusal === undefined
    ? ok(scope, `${origin} takes connections`)
    : fail(
        scope,
        `${origin} takes no connections: ${inWords(refusal)}`,
        'Check egress.proxy first: whatever else is said to be unreachable is behind it.',
      )
}

/** Undefined: there is none. */
function connectError(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PATIENCE_MS })
    const end = (code: string | undefined) => {
      socket.destroy()
      resolve(code)
    }
    socket.once('connect', () => end(undefined))
    socket.once('timeout', () => end('timeout'))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'error'))
  })
}
