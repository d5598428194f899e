// Where the gateway listens and where clients find it: is the port free or its own, and is the public URL this gateway?
import { createServer } from 'node:net'
import type { Config } from '../config/types.ts'
import type { ControlHttp } from '../upstream/http.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { reasonOf } from './observe.ts'
import { fingerprintOf, peerOf } from './tls.ts'

type Server = Config['server']

interface Ways {
  readonly http: ControlHttp
  /** To this machine itself. */
  readonly own: ControlHttp
}

export async function checkAddress(server: Server, publicUrl: string, ways: Ways): Promise<Finding[]> {
  const port = await checkPort(server, publicUrl, ways.own)
  if (server.public_url === undefined) return [port.finding]
  return [port.finding, await checkPublicUrl(publicUrl, port.running, ways.http)]
}

interface Port {
  readonly finding: Finding
  /** The gateway of this configuration is there. */
  readonly running: boolean
}

async function checkPort(server: Server, publicUrl: string, http: ControlHttp): Promise<Port> {
  const { host, port } = server
  const scope = 'server.port'
  if (port === 0)
    return { finding: ok(scope, 'the gateway takes any free port at its start'), running: false }
  const refusal = await listenError(host, port)
  if (refusal === undefined) {
    return { finding: ok(scope, `${port} is free: the gateway does not run here now`), running: false }
  }
  if (refusal === 'EADDRINUSE') return takenPort(server, publicUrl, http)
  const advice =
    refusal === 'EACCES' ? 'Ports below 1024 need a privilege: choose one above.' : 'Check server.host.'
  return {
    finding: fail(scope, `${host}:${port} cannot be listened on (${refusal})`, advice),
    running: false,
  }
}

async function takenPort(server: Server, publicUrl: string, http: ControlHttp): Promise<Port> {
  const { host, port, tls } = server
  const scope = 'server.port'
  const near = ['0.0.0.0', '::', '[::]'].includes(host)
    ? '127.0.0.1'
    : host.includes(':')
      ? `[${host}]`
      : host
  const there = tls
    ? await peerOf(`${near}:${port}`).then(
        ({ fingerprint }) => (fingerprint === fingerprintOf(tls.cert) ? publicUrl : 'another certificate'),
        reasonOf,
      )
    : await issuerAt(`http://${near}:${port}`, http).then(
        ({ issuer, problem }) => issuer ?? problem,
        reasonOf,
      )
  if (there === publicUrl) return { finding: ok(scope, `${port} is this gateway, running`), running: true }
  const message = `${port} is taken by something else (${there})`
  return { finding: fail(scope, message, 'End it, or choose another server.port.'), running: false }
}

async function checkPublicUrl(publicUrl: string, running: boolean, http: ControlHttp): Promise<Finding> {
  const scope = 'server.public_url'
  const judge = running ? fail : warn
  const start = running
    ? 'Check DNS, the proxy and its target; behind NAT it may only be reachable from outside.'
    : 'The gateway does not run here: start it, then run doctor again.'
  try {
    const { issuer, problem } = await issuerAt(publicUrl, http)
    if (issuer === publicUrl) return ok(scope, `${publicUrl} is this gateway`)
    if (issuer !== undefined)
      return fail(
        scope,
        `${publicUrl} answers as ${issuer}`,
        'Point the proxy here, or correct server.public_url.',
      )
    return judge(scope, `${publicUrl} answers, but not as this gateway (${problem})`, start)
  } catch (error) {
    return judge(scope, `${publicUrl} cannot be reached: ${reasonOf(error)}`, start)
  }
}

interface Found {
  readonly issuer: string | undefined
  readonly problem: string
}

/** Throws UpstreamError. */
async function issuerAt(origin: string, http: ControlHttp): Promise<Found> {
  const url = new URL('/.well-known/oauth-authorization-server', origin)
  const { status, body } = await http({
    method: 'GET',
    url,
    headers: { accept: 'application/json' },
    trust: 'configured',
  })
  if (status !== 200) return { issuer: undefined, problem: `HTTP ${status}` }
  try {
    const { issuer } = JSON.parse(body.toString('utf8')) as { issuer?: unknown }
    if (typeof issuer === 'string') return { issuer: issuer.slice(0, 200), problem: '' }
  } catch {
    // Told below, like any other page.
  }
  return { issuer: undefined, problem: 'no metadata' }
}

/** Listens for a moment. Undefined: it can be had. */
function listenError(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}
