// `mcp-oauth-gateway status`: how the running gateway is, and whether the file is what runs.
import { type Problem, placeOf, textOf } from '../config/problem.ts'
import { ask } from '../control/client.ts'
import type { Status } from '../control/protocol.ts'
import { readArgs } from './args.ts'
import { configFile } from './config-file.ts'
import { EXIT } from './exit.ts'
import { json, type Paint, painterFor, table } from './style.ts'

const options = { config: { type: 'string', short: 'c' }, json: { type: 'boolean' } } as const

export async function run(args: string[]): Promise<number> {
  const { values } = readArgs(args, options)
  const status = await ask(configFile(values.config, process.env), process.env, 'GET /status')
  process.stdout.write(values.json ? json(status) : inWords(status, painterFor(process.stdout)))
  return EXIT.ok
}

const isError = ({ severity }: Problem) => severity === 'error'

function inWords(status: Status, paint: Paint): string {
  const { version, pid, uptimeSeconds, url, source, configHash, restartPending } = status
  return [
    table([
      ['gateway', `${url}, version ${version}, process ${pid}, up ${duration(uptimeSeconds)}`],
      ['runs', `generation ${status.generation} of ${source} (${configHash})`],
      ['routes', `${status.routes}, open streams: ${status.openStreams}`],
      ['file', fileInWords(status, paint)],
      ['last reload', lastReloadInWords(status, paint)],
      [
        'restart',
        restartPending.length === 0
          ? 'not needed'
          : paint('yellow', `needed for ${restartPending.join(', ')}`),
      ],
    ]),
    ...(status.lastReload?.problems ?? [])
      .filter(isError)
      .map((problem) => `  ${paint('bold', placeOf(problem))}  ${textOf(problem)}\n`),
  ].join('')
}

function fileInWords({ file, stale, lastReload }: Status, paint: Paint): string {
  if (stale !== undefined) {
    const isListed = lastReload?.problems?.some(isError) && stale.why === 'refused'
    const reason = isListed ? 'what is wrong is below' : stale.reason
    return paint('red', `${STALE[stale.why] ?? stale.why} since ${stale.since}: ${reason}`)
  }
  return file === 'same' ? paint('green', 'is what runs') : paint('yellow', FILE[file])
}

const FILE: Readonly<Record<Status['file'], string>> = {
  same: 'is what runs',
  differs: 'differs from what runs: not applied yet; see `plan`, then `reload`',
  unreadable: 'cannot be read; the gateway goes on with what runs',
}

const STALE: Readonly<Record<string, string>> = {
  held: 'held, looks half-written',
  refused: 'refused',
  missing: 'missing',
  unreadable: 'unreadable',
  detached: 'edits cannot arrive',
}

function lastReloadInWords({ lastReload }: Status, paint: Paint): string {
  if (lastReload === undefined) return 'none since the start'
  const { outcome, at, trigger, generation } = lastReload
  const by = trigger === 'save' ? 'after a save' : 'on request'
  return `${paint(outcome === 'applied' ? 'green' : 'red', outcome)} ${by} at ${at}, generation ${generation} runs`
}

function duration(seconds: number): string {
  const units: readonly (readonly [string, number])[] = [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ]
  const largest = units.findIndex(([, size]) => seconds >= size)
  if (largest === -1) return '0 s'
  let rest = seconds
  return units
    .slice(largest, largest + 2)
    .map(([unit, size]) => {
      const count = Math.floor(rest / size)
      rest %= size
      return `${count} ${unit}`
    })
    .join(' ')
}
