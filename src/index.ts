#!/usr/bin/env node
import { UsageError } from './cli/args.ts'
import { commands, DEFAULT_COMMAND } from './cli/commands.ts'
import { EXIT } from './cli/exit.ts'
import { ConfigError } from './config/problem.ts'
// argv → one command. Whatever goes wrong ends here, as a message on stderr and an exit code.
import { messageOf } from './message-of.ts'

/** A command by its name, or flags alone for the default one. */
function split(argv: readonly string[]): { readonly name: string; readonly args: string[] } {
  const [first, ...rest] = argv
  const options = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : argv.length)
  const wantsHelp = options.includes('--help') || options.includes('-h')
  const named = first !== undefined && !first.startsWith('-')
  if (wantsHelp) return { name: 'help', args: named ? [first] : [] }
  return named ? { name: first, args: rest } : { name: DEFAULT_COMMAND, args: [...argv] }
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv[0] === '--version' || argv[0] === '-V') {
    const { version } = await import('./cli/version.ts')
    process.stdout.write(`${version()}\n`)
    return EXIT.ok
  }
  const { name, args } = split(argv)
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command) throw (await import('./cli/help.ts')).unknownCommand(name)
  const { run } = await command.load()
  return run(args)
}

async function report(error: unknown, argv: readonly string[]): Promise<number> {
  if (error instanceof UsageError) {
    const advice = error.hint === undefined ? '' : ` ${error.hint}`
    process.stderr.write(`${error.message}.${advice}\nSee mcp-oauth-gateway ${helpOn(argv)}\n`)
    return EXIT.usage
  }
  if (error instanceof ConfigError) {
    const { printProblems } = await import('./cli/print-problems.ts')
    printProblems(error.problems, new Map(), process.stderr)
    return EXIT.config
  }
  process.stderr.write(`${messageOf(error)}\n`)
  return EXIT.unreadable
}

function helpOn(argv: readonly string[]): string {
  const { name } = split(argv)
  return name !== 'help' && Object.hasOwn(commands, name) ? `${name} --help` : '--help'
}

// `validate | head` closes the pipe early; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

const argv = process.argv.slice(2)
process.exitCode = await main(argv).catch((error: unknown) => report(error, argv))
