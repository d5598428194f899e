// A token endpoint that hangs before a request can be sent to it. It ends in time, the link stays, and all is well once the
// upstream is back. What hangs later, in head and body of the answer, are rows of docs/upstream-errors.md.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import { Client, callMcp } from '../../security/client.ts'
import { newBrowser, obtainCode, obtainTokens } from '../../security/world.ts'
import { startGateway, USER } from '../../support/gateway.ts'
import { type Oidc, startOidc } from '../../support/oidc.ts'
import { signIn } from '../../support/person.ts'
import { freePort } from '../../support/ports.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { document, oidcRoute } from '../../support/yaml.ts'

const test = suite('long/flow/upstream-hangs')

/** A connection and a handshake may take 5 s each; the rest is room for a slow machine. */
const ENDS_WITHIN_MS = 9_000

interface Gate {
  readonly port: number
  close(): Promise<void>
}

/** Does with each connection what `take` says. */
async function startGate(take: (socket: Socket) => unknown, port = 0): Promise<Gate> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    take(socket)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const toServer = (oidc: Oidc) => (socket: Socket) => {
  const onward = connect(Number(new URL(oidc.issuer).port), '127.0.0.1').on('error', () => socket.destroy())
  socket.pipe(onward).pipe(socket)
}

/** Listens in a thread that sleeps, with a queue that is full: no connection to it is made any more. */
async function startFull(port: number): Promise<Gate> {
  const worker = new Worker(
    `const { parentPort, workerData: port } = require('node:worker_threads')
     require('node:net').createServer().listen({ port, host: '127.0.0.1', backlog: 1 }, () => {
       parentPort.postMessage('listening')
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)
     })`,
    { eval: true, workerData: port },
  )
  await once(worker, 'message')
  const queue: Socket[] = []
  for (let isMade = true; isMade; ) {
    if (queue.length > 20) throw new Error('the queue of connections did not fill up')
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    queue.push(socket)
    // Whether it is made shows at once on loopback, or not for seconds.
    isMade = await new Promise((resolve) => {
      const timer = setTimeout(resolve, 500, false)
      socket.once('connect', () => {
        clearTimeout(timer)
        resolve(true)
      })
    })
  }
  return {
    port,
    async close() {
      for (const socket of queue) socket.destroy()
      await worker.terminate()
    },
  }
}

async function startScene({ after }: TestContext, tokenEndpoint: (port: number) => string) {
  const oidc = await startOidc({ accessTokenTtlSeconds: 3_600 })
  after(() => oidc.close())
  let gate = await startGate(toServer(oidc), await freePort())
  after(() => gate.close())
  const { port } = gate
  let passed = 0
  const yaml = document(oidcRoute('oidc', oidc)).replace(oidc.tokenEndpoint, tokenEndpoint(port))
  const gateway = await startGateway({
    yaml: `${yaml}tokens: { access_ttl: 12h }\n`,
    now: () => Date.now() + passed,
  })
  after(() => gateway.close())
  return {
    oidc,
    gateway,
    mcpUrl: `${gateway.url}/oidc`,
    client: await Client.register(gateway.url),
    tokenPath: new URL(oidc.tokenEndpoint).pathname,
    pass: (ms: number) => {
      passed += ms
    },
    /** Puts another gate where this one is. */
    async swap(start: (port: number) => Promise<Gate>) {
      await gate.close()
      gate = await start(port)
    },
  }
}

const PERSON = { ...USER, upstreamName: 'somebody' }

async function inTime<T>(asked: Promise<T>): Promise<T> {
  const startedMs = performance.now()
  const answer = await asked
  const tookMs = performance.now() - startedMs
  assert.ok(tookMs < ENDS_WITHIN_MS, `${tookMs} ms`)
  return answer
}

async function refreshHangs(context: TestContext): Promise<void> {
  const scene = await startScene(context, (port) => `http://127.0.0.1:${port}/token`)
  const { client, mcpUrl, oidc } = scene
  const { tokens } = await obtainTokens({ client, person: PERSON })
  assert.is((await callMcp(mcpUrl, tokens.access)).status, 200)

  await scene.swap(startFull)
  scene.pass(2 * 3_600_000)
  const before = oidc.recorder.count('/token')
  const held = await inTime(callMcp(mcpUrl, tokens.access))
  assert.is(held.status, 503)
  assert.match(held.headers.get('retry-after') ?? '', /^\d+$/)
  assert.is((await client.refresh(tokens.refresh)).status, 200, 'the client keeps its own tokens')

  await scene.swap((port) => startGate(toServer(oidc), port))
  scene.pass(11_000)
  assert.is((await callMcp(mcpUrl, tokens.access)).status, 200)
  assert.is(oidc.recorder.count('/token'), before + 1, 'what hung was never sent')
}

async function signInHangs(
  context: TestContext,
  scheme: 'http' | 'https',
  hang: (port: number) => Promise<Gate>,
): Promise<void> {
  const scene = await startScene(context, (port) => `${scheme}://127.0.0.1:${port}/token`)
  const { client, gateway, oidc } = scene
  await scene.swap(hang)
  const { callback } = await inTime(signIn(newBrowser(), client.trip().url, PERSON))
  assert.equal(
    [scheme, callback.searchParams.get('error'), callback.searchParams.get('iss')],
    [scheme, 'temporarily_unavailable', gateway.url],
  )
  assert.is(callback.searchParams.has('code'), false)
  assert.is(oidc.recorder.count('/token'), 0)
  if (scheme === 'https') return
  await scene.swap((port) => startGate(toServer(oidc), port))
  assert.ok((await obtainCode({ client, person: PERSON })).code, 'the next sign-in works')
}

// Together, since each has to wait for its limit.
test(
  'spec-U8, spec-H5: no connection, or no TLS handshake: a refresh is 503 in time and the link stays, a sign-in ends at the client',
  async (context) => {
    await Promise.all([
      refreshHangs(context),
      signInHangs(context, 'http', startFull),
      signInHangs(context, 'https', (port) => startGate(() => {}, port)),
    ])
  },
  { timeoutMs: 40_000 },
)

test.run()
