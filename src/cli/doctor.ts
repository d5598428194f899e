// `mcp-oauth-gateway doctor`: asks everybody the gateway depends on, and says what is wrong and what to do.
import { realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Loaded, loadConfig } from '../config/load.ts'
import { ConfigError } from '../config/problem.ts'
import { didYouMean } from '../config/suggest.ts'
import { type Finding, fail, type Level, ok } from '../doctor/finding.ts'
import { examine } from '../doctor/index.ts'
import { stateFolder, stateIdForFile, statePaths } from '../store/state-folder.ts'
import { readArgs, UsageError } from './args.ts'
import { type ConfigText, configFile, readConfigText } from './config-file.ts'
import { EXIT } from './exit.ts'
import { printProblems } from './print-problems.ts'

const options = { config: { type: 'string', short: 'c' }, json: { type: 'boolean' } } as const

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = readArgs(args, options, true)
  const file = configFile(values.config, process.env)
  const source = await readConfigText(file)
  const loaded = loadOrReport(source)
  const findings = loaded
    ? [configFinding(file, source, loaded), ...(await visit(file, loaded, positionals))]
    : [fail('config', `${source.file} has mistakes`, `Run: ${validateCommand(file, ' --require-env')}`)]
  process.stdout.write(values.json ? asJson(findings) : asText(findings))
  return findings.some(({ level }) => level === 'FAIL') ? EXIT.failed : EXIT.ok
}

function loadOrReport(source: ConfigText): Loaded | undefined {
  try {
    return loadConfig({ ...source, env: process.env })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    printProblems(error.problems, new Map([[source.file, source.text]]), process.stderr)
    process.stderr.write('\n')
    return undefined
  }
}

/** To be pasted into a shell. */
function validateCommand(file: string, flags = ''): string {
  const named = /^[\w./@%+:,-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`
  const isDefault = file === configFile(undefined, process.env)
  return `mcp-oauth-gateway validate${flags}${isDefault ? '' : ` ${named}`}`
}

function configFinding(file: string, source: ConfigText, { config, warnings }: Loaded): Finding {
  const routes = Object.keys(config.routes).length
  const counted = `${source.file} is valid: ${count(routes, 'route')}`
  return warnings.length === 0
    ? ok('config', counted)
    : {
        level: 'warn',
        scope: 'config',
        message: `${counted}, ${count(warnings.length, 'warning')}`,
        advice: `Run: ${validateCommand(file)}`,
      }
}

async function visit(
  file: string,
  { config, secretFiles }: Loaded,
  asked: readonly string[],
): Promise<Finding[]> {
  const known = Object.keys(config.routes)
  const unknown = asked.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new UsageError(
      `there is no route ${unknown}`,
      didYouMean(unknown, known) ?? `There are: ${known.join(', ')}.`,
    )
  const path = realPath(file)
  const folder = stateFolder(stateIdForFile(path), process.env, process.platform)
  const progress = progressOn(process.stderr)
  const findings = await examine({
    config,
    file: path,
    secretFiles,
    statePaths: statePaths(
      folder,
      config.store.type === 'embedded' ? config.store.path : undefined,
      dirname(resolve(file)),
    ),
    routes: asked.length > 0 ? asked : known,
    onProgress: progress.show,
  })
  progress.clear()
  return findings
}

/** A file that was replaced under its mount has no real path any more; the check of the file says so. */
function realPath(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return resolve(file)
  }
}

/** One line that is written over and over, and only for somebody who watches. */
function progressOn({ isTTY }: NodeJS.WriteStream) {
  const write = (text: string) => isTTY && process.stderr.write(`\r\x1b[K${text}`)
  return {
    show: (done: number, all: number) => write(`checking… ${done} of ${all}`),
    clear: () => write(''),
  }
}

function asJson(findings: readonly Finding[]): string {
  const level = { ok: 'ok', warn: 'warn', FAIL: 'fail' }
  const shown = findings.map((finding) => ({ ...finding, level: level[finding.level] }))
  return `${JSON.stringify({ ok: !findings.some((finding) => finding.level === 'FAIL'), findings: shown }, null, 2)}\n`
}

const COLORS: Readonly<Record<Level, string>> = { ok: '\x1b[32m', warn: '\x1b[33m', FAIL: '\x1b[31m' }

function asText(findings: readonly Finding[]): string {
  const color = process.stdout.isTTY === true && !process.env.NO_COLOR
  const width = Math.max(...findings.map(({ scope }) => scope.length))
  const indent = ' '.repeat(6)
  const lines = findings.flatMap(({ level, scope, message, advice }) => {
    const mark = color ? `${COLORS[level]}${level}\x1b[0m` : level
    const line = `${mark}${indent.slice(level.length)}${scope.padEnd(width)}  ${message}`
    return advice === undefined ? [line] : [line, `${indent}${' '.repeat(width)}  → ${advice}`]
  })
  return `${lines.join('\n')}\n\n${summary(findings)}\n`
}

function summary(findings: readonly Finding[]): string {
  const failures = findings.filter(({ level }) => level === 'FAIL').length
  const warnings = findings.filter(({ level }) => level === 'warn').length
  if (failures + warnings === 0) return 'Everything is well.'
  const told = [
    ...(failures > 0 ? [count(failures, 'problem')] : []),
    ...(warnings > 0 ? [count(warnings, 'warning')] : []),
  ]
  return `${told.join(', ')}.`
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`
