// Whether the way out is there: without it every host looks as if it were down.
import { connect } from 'node:net'
import { type Finding, fail, ok } from './finding.ts'
import { inWords } from './observe.ts'
import { judgePeer, peerOf } from './tls.ts'

const PATIENCE_MS = 8_000
const SCOPE = 'egress.proxy'
const BEHIND_IT = 'Check egress.proxy first: whatever else is said to be unreachable is behind it.'

export async function checkProxy(proxy: URL): Promise<Finding> {
  const { origin, protocol, hostname, port } = proxy
  const standard = protocol === 'https:' ? 443 : 80
  const refusal = await connectError(hostname.replace(/^\[|\]$/g, ''), Number(port) || standard)
  if (refusal !== undefined)
    return fail(SCOPE, `${origin} takes no connections: ${inWords(refusal)}`, BEHIND_IT)
  return (protocol === 'https:' ? await certificateFinding(proxy) : undefined) ?? isThere(proxy)
}

const isThere = ({ origin }: URL) => ok(SCOPE, `${origin} takes connections`)

/** Undefined: it is good for long. */
async function certificateFinding({ origin, host }: URL): Promise<Finding | undefined> {
  try {
    const judged = judgePeer(host, await peerOf(host), Date.now())
    return judged && { ...judged, scope: SCOPE }
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException
    return fail(SCOPE, `${origin} shows no certificate: ${inWords(code)}`, BEHIND_IT)
  }
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
