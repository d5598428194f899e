// A doctor's visit in this process, to a configuration of the test's own. Fails when a canary shows up in what is said.
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { loadConfig } from '../../src/config/load.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { examine } from '../../src/doctor/index.ts'
import { statePaths } from '../../src/store/state-folder.ts'

/** In every secret of these tests. */
export const CANARY = 'hunter2'

export interface VisitOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly routes?: readonly string[]
  /** Called with the folder before the visit. */
  readonly prepare?: (folder: string) => Promise<unknown>
}

/** What was found, as `level scope: message → advice`. */
export async function visit(
  yaml: string,
  { env = {}, routes, prepare }: VisitOptions = {},
): Promise<string[]> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'doctor-')))
  const file = join(folder, 'gateways.yaml')
  try {
    await writeFile(file, yaml)
    await prepare?.(folder)
    const { config, secretFiles } = loadConfig({ file, text: yaml, folder, env })
    const findings = await examine({
      config,
      file,
      secretFiles,
      statePaths: statePaths(join(folder, 'state')),
      routes: routes ?? Object.keys(config.routes),
    })
    const told = findings.map(tell)
    assert.not.match(told.join('\n'), CANARY)
    return told.map((line) => line.replaceAll(folder, '(folder)'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export function tell({ level, scope, message, advice }: Finding): string {
  return `${level} ${scope}: ${message}${advice === undefined ? '' : ` → ${advice}`}`
}

/** Of one scope only. */
export const about = (scope: string, told: readonly string[]) =>
  told.filter((line) => line.split(' ', 2)[1] === `${scope}:`)
