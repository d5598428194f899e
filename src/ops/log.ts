// The log: one event per line on stderr, with named fields. Callers pass fields one by one, never whole objects, so
// that no token, code or secret gets in by being part of something.
import { pino } from 'pino'
import type { LogDetail } from '../errors.ts'
import { printableJson } from '../printable.ts'
import { prettyStream } from './pretty.ts'

type Write = (event: string, fields?: LogDetail) => void

export interface Log {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly format: 'auto' | 'pretty' | 'json'
}

export interface LeveledLog extends Log {
  setLevel(level: LogOptions['level']): void
}

export function createLog(
  { level, format }: LogOptions,
  output: NodeJS.WriteStream = process.stderr,
): LeveledLog {
  const pretty = format === 'pretty' || (format === 'auto' && output.isTTY === true)
  const destination = pretty ? prettyStream(output) : output
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: printableJson },
    },
    destination,
  )
  const write =
    (name: keyof Log): Write =>
    (event, fields = {}) =>
      logger[name](fields, event)
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    setLevel: (next) => {
      logger.level = next
    },
  }
}

/** For tests and for tools that have nothing to tell. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
