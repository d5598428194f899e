// A configuration of six routes, as people write one, and edits of it.
import { type Loaded, loadConfig } from '../../src/config/load.ts'
import { PASSWORD_HASHES } from '../security/world.ts'

const route = (name: string) => `  ${name}:
    upstream: http://127.0.0.1:9/${name}
    title: ${name.toUpperCase()}
    access: { users: [alice] }
    auth: none
`

export const SIX = `# who may use what
version: 1
server: { port: 0 }
login:
  users:
    alice:
      password_hash: "\${VICTIM_HASH}"
    bob:
      password_hash: "\${ATTACKER_HASH}"
routes:
${['a', 'b', 'c', 'd', 'e', 'f'].map(route).join('')}`

export const ENV = { ...PASSWORD_HASHES, KEY: 'a-key' }

/** Whole texts that an editor may write in two halves. */
export const EDITS: Record<string, (text: string) => string> = {
  'another title in the first route': (text) => text.replace('title: A', 'title: Edited'),
  'another upstream in the middle': (text) => text.replace('127.0.0.1:9/c', '127.0.0.1:9/elsewhere'),
  'a comment at the top': (text) => `# edited\n${text}`,
  'a longer comment in the middle': (text) =>
    text.replace('  d:', '  # what follows is new and longer\n  d:'),
  'a route that is added in the middle': (text) => text.replace('  d:', `${route('new')}  d:`),
  'a route that is taken out of the middle': (text) => text.replace(route('c'), ''),
  'a section before the routes': (text) => text.replace('routes:', 'tokens: { access_ttl: 2h }\nroutes:'),
  'a restriction on one route': (text) => text.replace('users: [alice]', 'users: [alice, bob]'),
}

export const load = (text: string): Loaded =>
  loadConfig({ file: 'gateways.yaml', folder: '/', text, env: ENV })

export function isValid(text: string): boolean {
  try {
    load(text)
    return true
  } catch {
    return false
  }
}
