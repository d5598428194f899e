// Arguments by table: node:util parseArgs, with mistakes told as people make them.
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { didYouMean } from '../config/suggest.ts'

/** The command line cannot be understood. The message is for the person who typed it. */
export class UsageError extends Error {
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.name = 'UsageError'
    this.hint = hint
  }
}

type Options = NonNullable<ParseArgsConfig['options']>

export function readArgs<const T extends Options>(
  args: readonly string[],
  options: T,
  allowPositionals = false,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals, strict: true })
  } catch (error) {
    throw usageError(error, Object.keys(options))
  }
}

/** Reports have several formats; answers to a question have the one for machines. */
function reportHint(option: string, known: readonly string[]): string | undefined {
  if (option === '--json' && known.includes('format')) return 'Write --format json.'
  return option === '--format' && known.includes('json') ? 'Write --json.' : undefined
}

/** Node's messages are long and name no alternative. Nothing but names of flags is repeated: it may be a secret. */
function usageError(error: unknown, known: readonly string[]): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const option = /'(-{1,2}[^'=\s]+)/.exec(String(error))?.[1] ?? ''
    const candidates = known.map((name) => `--${name}`)
    return new UsageError(
      `unknown flag ${option}`,
      reportHint(option, known) ?? didYouMean(option, candidates),
    )
  }
  if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') {
    return new UsageError('this command takes nothing but flags')
  }
  if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') {
    const option = /'(?:-\w, )?(--[\w-]+)/.exec(String(error))?.[1] ?? ''
    return new UsageError(
      `${option} ${String(error).includes('does not take') ? 'takes no value' : 'needs a value'}`,
    )
  }
  return error
}
