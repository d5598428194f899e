// `mcp-oauth-gateway routes`: what the running gateway serves.
import { ask } from '../control/client.ts'
import type { RouteStatus } from '../control/protocol.ts'
import { accessInWords } from './access-words.ts'
import { readArgs } from './args.ts'
import { configFile } from './config-file.ts'
import { EXIT } from './exit.ts'
import { json, table } from './style.ts'

const options = { config: { type: 'string', short: 'c' }, json: { type: 'boolean' } } as const

const HEAD = ['NAME', 'PATH', 'UPSTREAM', 'AUTH', 'ACCESS', 'STREAMS', 'SINCE']

export async function run(args: string[]): Promise<number> {
  const { values } = readArgs(args, options)
  const routes = await ask(configFile(values.config, process.env), process.env, 'GET /routes')
  process.stdout.write(values.json ? json(routes) : table([HEAD, ...routes.map(row)]))
  return EXIT.ok
}

function row({ name, path, upstream, auth, access, openStreams, since }: RouteStatus): string[] {
  return [name, path, upstream, auth, accessInWords(access), String(openStreams), `generation ${since}`]
}
