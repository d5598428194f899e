// Many reloads in a row of a gateway in a process of its own, while clients call through it without a pause.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '../durable/process.ts'
import { Client, INITIALIZE } from '../security/client.ts'
import { obtainTokens } from '../security/world.ts'
import { USER } from '../support/gateway.ts'
import { listen } from '../support/http.ts'
import type { TestContext } from '../support/suite.ts'

export interface LoadResult {
  readonly reloads: number
  readonly requests: number
  /** What was not answered with 200, in words. */
  readonly failures: readonly string[]
  /** Resident memory of the gateway in MiB, at ten points from the first reload to the last. */
  readonly rssMiB: readonly number[]
  /** From the signal to the log line, sorted. */
  readonly reloadMs: readonly number[]
  /** Open files and sockets before the first reload, and a while after the last. */
  readonly descriptors: { readonly before: number; readonly after: number }
}

const CLIENTS = 8
const IDLE_MS = 5_000

export async function reloadUnderLoad(context: TestContext, reloads: number): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), 'reload-load-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const upstreams = await Promise.all([startUpstream(context), startUpstream(context)])
  const text = (index: number) => documentOf(upstreams[index % 2] ?? '', index)
  const served = await serve(context, { folder, yaml: text(0) })
  const resource = `${served.url}/tools`
  const client = await Client.register(served.url)
  const { tokens } = await obtainTokens({ client, person: USER, overrides: { resource } })

  const load = startLoad(resource, tokens.access)
  context.after(load.stop)
  const before = await descriptorsOf(served.pid)
  const rssMiB: number[] = []
  const reloadMs: number[] = []
  for (let index = 1; index <= reloads; index += 1) {
    await writeFile(join(folder, 'gateways.yaml'), text(index))
    const begun = performance.now()
    served.signal('SIGHUP')
    await reloaded(served.lines, index + 1)
    reloadMs.push(performance.now() - begun)
    if (index % Math.ceil(reloads / 10) === 0) rssMiB.push(await rssOf(served.pid))
  }
  const { requests, failures } = await load.stop()
  // Kept connections end by themselves.
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
  const after = await descriptorsOf(served.pid)
  await served.stop()
  return {
    reloads,
    requests,
    failures,
    rssMiB,
    reloadMs: reloadMs.sort((a, b) => a - b),
    descriptors: { before, after },
  }
}

/** Another upstream, another timeout (so other pools), another title, and every third time another route. */
const documentOf = (upstream: string, index: number) => `version: 1
server: { port: 0 }
routes:
${index % 3 === 0 ? `  extra: { upstream: "http://127.0.0.1:${10_000 + (index % 50_000)}/", auth: none }\n` : ''}  tools:
    upstream: ${upstream}
    title: Generation ${index}
    timeouts: { connect: ${5_000 + index}ms }
    auth: none
`

async function startUpstream({ after }: TestContext): Promise<string> {
  const answer = JSON.stringify({ jsonrpc: '2.0', id: 1, result: {} })
  const server = await listen((request, response) => {
    request
      .resume()
      .on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end(answer))
  })
  after(() => server.close())
  return `${server.origin}/mcp`
}

function startLoad(url: string, token: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  const failures: string[] = []
  let requests = 0
  let running = true
  const loops = Array.from({ length: CLIENTS }, async () => {
    while (running) {
      const status = await post(agent, url, token)
      requests += 1
      if (status !== '200') failures.push(status)
    }
  })
  return {
    async stop() {
      running = false
      await Promise.all(loops)
      agent.destroy()
      return { requests, failures }
    },
  }
}

function post(agent: Agent, url: string, token: string): Promise<string> {
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  }
  return new Promise((resolve) => {
    httpRequest(url, { method: 'POST', agent, headers }, (response) => {
      response.resume().on('end', () => resolve(String(response.statusCode)))
    })
      .on('error', (error) => resolve(error.message))
      .end(JSON.stringify(INITIALIZE))
  })
}

/** The watcher may have been faster than the signal; what counts is that this generation runs. */
async function reloaded(lines: readonly string[], generation: number): Promise<void> {
  const text = `"generation":${generation},`
  const deadline = performance.now() + 10_000
  const from = Math.max(0, lines.length - 50)
  for (;;) {
    if (lines.slice(from).some((line) => line.includes('"reloaded"') && line.includes(text))) return
    if (performance.now() > deadline)
      throw new Error(`generation ${generation} did not come:\n${lines.slice(-5).join('\n')}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

async function rssOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024)
}

async function descriptorsOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}
