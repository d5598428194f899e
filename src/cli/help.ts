// `mcp-oauth-gateway help [COMMAND]`, and what `--help` prints.

import { didYouMean } from '../config/suggest.ts'
import { readArgs, UsageError } from './args.ts'
import { commands } from './commands.ts'
import { EXIT } from './exit.ts'

export async function run(args: string[]): Promise<number> {
  const [name] = readArgs(args, {}, true).positionals
  process.stdout.write(name === undefined ? overview() : usageOf(name))
  return EXIT.ok
}

function usageOf(name: string): string {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command) return command.usage.trimStart()
  throw unknownCommand(name)
}

export function unknownCommand(name: string): UsageError {
  return new UsageError(`unknown command ${name}`, didYouMean(name, Object.keys(commands)))
}

function overview(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`)
  return `mcp-oauth-gateway puts OAuth in front of remote MCP servers, from one YAML file.

Usage: mcp-oauth-gateway [COMMAND] [FLAGS]

${lines.join('\n')}

  -c, --config FILE   the configuration; default: $MCP_GATEWAY_CONFIG, else gateways.yaml
      --help          explain a command
      --version       print the version

Examples:
  mcp-oauth-gateway validate && mcp-oauth-gateway
  mcp-oauth-gateway help serve
`
}
