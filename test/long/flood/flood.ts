// A flood of registrations, and what honest clients notice of it.
import { Pool } from 'undici'
import { Client, callMcp, type Tokens, tokensOf } from '../../security/client.ts'
import { REDIRECT } from '../../security/document-world.ts'
import { newBrowser } from '../../security/world.ts'
import { USER } from '../../support/gateway.ts'
import { signIn } from '../../support/person.ts'
import type { TestContext } from '../../support/suite.ts'
import { type Held, type Scene, startScene } from './scene.ts'

export interface Latency {
  readonly flows: number
  readonly medianMs: number
  readonly p99Ms: number
}
export interface FloodReport {
  readonly registrations: number
  /** How often each status was answered. */
  readonly statuses: ReadonlyMap<number, number>
  readonly perSecond: number
  readonly before: Held
  /** After a half in which nobody else came. */
  readonly after: Held
  /** After all of it, with the records of the honest clients in there too. */
  readonly end: Held
  readonly idle: Readonly<Record<Victim, Latency>>
  readonly flooded: Readonly<Record<Victim, Latency>>
  readonly failures: readonly string[]
}

const CONNECTIONS = 16
const WARM_UP = 5_000
const IDLE_MS = 4_000

/** Half of the flood comes alone, so that every row it leaves is seen; the other half with honest clients in between. */
export async function flood(context: TestContext, registrations: number): Promise<FloodReport> {
  const scene = await startScene(context)
  const pool = new Pool(scene.url, { connections: CONNECTIONS })
  context.after(() => pool.destroy())
  const victims = await welcome(scene)
  const statuses = new Map<number, number>()
  await register(pool, WARM_UP, new Map())
  const idle = await victims.until(new Promise((resolve) => setTimeout(resolve, IDLE_MS)))
  const before = await scene.held()
  const begun = performance.now()
  await register(pool, registrations / 2, statuses)
  const seconds = (performance.now() - begun) / 1000
  const after = await scene.held()
  const flooded = await victims.until(register(pool, registrations / 2, statuses))
  const end = await scene.held()
  await victims.survive()
  const { failures } = victims
  const perSecond = registrations / 2 / seconds
  return { registrations, statuses, perSecond, before, after, end, idle, flooded, failures }
}

/** Each from another address, if one believes the header. */
async function register(pool: Pool, count: number, statuses: Map<number, number>): Promise<void> {
  let sent = 0
  const worker = async () => {
    while (sent < count) {
      const number = sent++
      const address = [number >>> 16, number >>> 8, number, number * 7].map((part) => part & 255).join('.')
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: '/register',
        headers: {
          'content-type': 'application/json',
          'x-forwarded-for': address,
          forwarded: `for=${address}`,
        },
        body: JSON.stringify({
          client_name: `Client ${number}`,
          redirect_uris: [`https://c${number}.test/cb`],
        }),
      })
      await body.dump()
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
}

export const VICTIMS = ['document client', 'registered client', 'refresh'] as const
export type Victim = (typeof VICTIMS)[number]

/** Clients that were there before: each goes its whole way, again and again. */
async function welcome(scene: Scene) {
  const registered = await Client.register(scene.url)
  const failures: string[] = []
  let tokens: Tokens = await connect(scene, registered)

  const ways: Readonly<Record<Victim, () => Promise<unknown>>> = {
    'document client': () => connect(scene, scene.documentClient),
    'registered client': () => connect(scene, registered),
    refresh: async () => {
      tokens = tokensOf(await registered.refresh(tokens.refresh))
    },
  }

  /** One after the other, until that settles. */
  async function until(end: Promise<unknown>): Promise<Record<Victim, Latency>> {
    let isOver = false
    const ended = end.finally(() => {
      isOver = true
    })
    const timed = async (victim: Victim): Promise<[Victim, Latency]> => {
      const times: number[] = []
      while (!isOver) {
        const begun = performance.now()
        await ways[victim]().catch((error: unknown) => failures.push(`${victim}: ${error}`))
        times.push(performance.now() - begun)
      }
      return [victim, latencyOf(times)]
    }
    const [latencies] = await Promise.all([Promise.all(VICTIMS.map(timed)), ended])
    return Object.fromEntries(latencies) as Record<Victim, Latency>
  }

  /** The token that has lived through it all, and somebody new. */
  async function survive(): Promise<void> {
    await ways.refresh()
    await works(scene, tokens)
    await connect(scene, await Client.register(scene.url))
  }
  return { until, survive, failures }
}

/** The whole way, to the first call. */
export async function connect(scene: Scene, client: Client): Promise<Tokens> {
  const trip = client.trip()
  const { callback } = await signIn(newBrowser(REDIRECT), trip.url, USER)
  const tokens = tokensOf(await client.redeem(callback.searchParams.get('code') ?? '', trip.verifier))
  await works(scene, tokens)
  return tokens
}

export async function works({ mcpUrl }: Scene, { access }: Tokens): Promise<void> {
  const { status } = await callMcp(mcpUrl, access)
  if (status !== 200) throw new Error(`the call was answered with ${status}`)
}

function latencyOf(times: readonly number[]): Latency {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
  return { flows: sorted.length, medianMs: at(0.5), p99Ms: at(0.99) }
}

/** The figures, for people. */
export function describeFlood(report: FloodReport): string {
  const { before, after, end, idle, flooded } = report
  const grown = (key: keyof Held) => [before, after, end].map((held) => held[key].toFixed(1)).join(' → ')
  const latency = (victim: Victim) => {
    const [calm, busy] = [idle[victim], flooded[victim]]
    const times = ({ flows, medianMs, p99Ms }: Latency) =>
      `${flows} × ${medianMs.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms`
    return `${victim}: ${times(calm)} → ${times(busy)} (${(busy.p99Ms / calm.p99Ms).toFixed(1)}×)`
  }
  return [
    `registrations: ${report.registrations}, ${report.perSecond.toFixed(0)} a second, answered ${JSON.stringify([...report.statuses])}`,
    `RSS ${grown('rssMiB')} MiB, heap ${grown('heapMiB')} MiB, rows ${grown('rows')}, data file ${grown('dataMiB')} MiB`,
    ...Object.keys(idle).map((victim) => latency(victim as Victim)),
  ].join('\n')
}
