// Whether this machine's clock agrees with the hosts that it talks to. Pure. Tokens and certificates live by the clock.
import { type Finding, ok, warn } from './finding.ts'
import type { ClockReading } from './observe.ts'

const TOLERANCE_MS = 60_000

export function checkClock(readings: readonly ClockReading[]): Finding[] {
  const hosts = [...new Set(readings.map(({ host }) => host))]
  const off = hosts.flatMap((host) => {
    const aheadMs = median(readings.filter((reading) => reading.host === host).map(({ aheadMs }) => aheadMs))
    return Math.abs(aheadMs) > TOLERANCE_MS ? [describe(host, aheadMs, hosts.length)] : []
  })
  if (hosts.length === 0 || off.length > 0) return off
  return [
    ok(
      'clock',
      `this machine's clock agrees with ${hosts.length === 1 ? hosts[0] : `${hosts.length} hosts`}`,
    ),
  ]
}

function describe(host: string, aheadMs: number, asked: number): Finding {
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  const message = `this machine is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} ${host}`
  const advice =
    asked === 1 ? 'Synchronise the clock (NTP).' : 'Synchronise the clock (NTP), if others differ too.'
  return warn('clock', message, advice)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
