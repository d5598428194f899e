// What `serve` is asked to serve: a file, or the ancestor's flags. Never both.
import { type DocumentFlags, flagTargets } from '../config/from-flags.ts'
import type { Environment } from '../environment.ts'
import { readArgs, UsageError } from './args.ts'
import { configFile } from './config-file.ts'

export type ServeOptions =
  | { readonly kind: 'file'; readonly file: string; readonly watch: boolean }
  | { readonly kind: 'flags'; readonly flags: DocumentFlags }

const options = {
  config: { type: 'string', short: 'c' },
  'no-watch': { type: 'boolean' },
  port: { type: 'string' },
  host: { type: 'string' },
  'upstream-rs': { type: 'string' },
  'upstream-as': { type: 'string' },
  'upstream-client-id': { type: 'string' },
  'upstream-client-secret': { type: 'string' },
  'upstream-authorize-endpoint': { type: 'string' },
  'upstream-token-endpoint': { type: 'string' },
} as const

/** Throws UsageError. */
export function serveOptions(args: readonly string[], env: Environment): ServeOptions {
  const { config, 'no-watch': noWatch = false, ...flags } = readArgs(args, options).values
  const [flag] = Object.keys(flagTargets).filter((name) => Object.hasOwn(flags, name))
  if (flag === undefined) return { kind: 'file', file: configFile(config, env), watch: !noWatch }
  if (config !== undefined) {
    throw new UsageError(`--${flag} and --config exclude each other`, 'Write the setting into the file.')
  }
  return { kind: 'flags', flags: { ...flags } }
}
