// The ancestor's flags → the same document that a file would hold, in memory. Secrets go through the environment.
import { ConfigError, type Problem } from './problem.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Flags as parseArgs names them. */
export interface DocumentFlags {
  readonly port?: string
  readonly host?: string
  readonly 'upstream-rs'?: string
  readonly 'upstream-as'?: string
  readonly 'upstream-client-id'?: string
  readonly 'upstream-client-secret'?: string
  readonly 'upstream-authorize-endpoint'?: string
  readonly 'upstream-token-endpoint'?: string
}

type Flag = keyof DocumentFlags

interface FlagTarget {
  /** Where the value goes in the document. */
  readonly pointer: string
  /** What may hold it instead. The flag wins. */
  readonly variable?: string
  readonly required?: true
  readonly secret?: true
}

const AUTH = '/routes/mcp/auth'
const SERVER = `${AUTH}/authorization_server`

export const flagTargets: Readonly<Record<Flag, FlagTarget>> = {
  port: { pointer: '/server/port' },
  host: { pointer: '/server/host' },
  'upstream-rs': { pointer: '/routes/mcp/upstream', required: true },
  'upstream-as': { pointer: `${SERVER}/issuer` },
  'upstream-client-id': {
    pointer: `${SERVER}/client_id`,
    variable: 'MCP_GATEWAY_UPSTREAM_CLIENT_ID',
    required: true,
  },
  'upstream-client-secret': {
    pointer: `${SERVER}/client_secret`,
    variable: 'MCP_GATEWAY_UPSTREAM_CLIENT_SECRET',
    secret: true,
  },
  'upstream-authorize-endpoint': {
    pointer: `${SERVER}/authorization_endpoint`,
    variable: 'MCP_GATEWAY_UPSTREAM_AUTHORIZE_ENDPOINT',
    required: true,
  },
  'upstream-token-endpoint': {
    pointer: `${SERVER}/token_endpoint`,
    variable: 'MCP_GATEWAY_UPSTREAM_TOKEN_ENDPOINT',
    required: true,
  },
}

/** The name under which problems mention the document. */
export const FLAGS_FILE = '(flags)'

export interface FlagsDocument {
  readonly text: string
  /** The environment to load the text with: it also holds what must not stand in the text. */
  readonly env: Environment
}

/** Throws ConfigError that names the flags to add. */
export function documentFromFlags(flags: DocumentFlags, env: Environment): FlagsDocument {
  const missing = (Object.keys(flagTargets) as Flag[]).filter((flag) => isMissing(flag, flags, env))
  if (missing.length > 0) throw new ConfigError(missing.map(missingFlag))
  const secret = flags['upstream-client-secret']
  const { variable = '' } = flagTargets['upstream-client-secret']
  return { text: writeDocument(flags, env), env: secret ? { ...env, [variable]: secret } : env }
}

/** Problems of a document made from flags, told in flags. */
export function nameFlags(problems: readonly Problem[]): Problem[] {
  return problems.map((problem) => {
    if (problem.file !== FLAGS_FILE) return problem
    const found = Object.entries(flagTargets).find(
      ([, { pointer }]) => pointer === problem.pointer.replace(/\/url$/, ''),
    )
    return found ? { ...problem, path: `--${found[0]}` } : problem
  })
}

function writeDocument(flags: DocumentFlags, env: Environment): string {
  const write = (flag: Flag) => writeValue(flag, flags, env)
  const line = (indent: number, name: string, flag: Flag) => {
    const value = write(flag)
    return value === undefined ? [] : [`${' '.repeat(indent)}${name}: ${value}`]
  }
  const server = [...line(2, 'host', 'host'), ...line(2, 'port', 'port')]
  return [
    'version: 1',
    ...(server.length > 0 ? ['server:', ...server] : []),
    'routes:',
    '  mcp:',
    ...line(4, 'upstream', 'upstream-rs'),
    '    auth:',
    '      type: authorization_code',
    '      authorization_server:',
    ...line(8, 'issuer', 'upstream-as'),
    ...line(8, 'authorization_endpoint', 'upstream-authorize-endpoint'),
    ...line(8, 'token_endpoint', 'upstream-token-endpoint'),
    ...line(8, 'client_id', 'upstream-client-id'),
    ...line(8, 'client_secret', 'upstream-client-secret'),
    '        callback: /upstream/callback',
    '',
  ].join('\n')
}

/** YAML for a flag's value: a reference for what comes from the environment or is secret, else quoted text. */
function writeValue(flag: Flag, flags: DocumentFlags, env: Environment): string | undefined {
  const { variable, secret } = flagTargets[flag]
  const given = flags[flag]
  if (given !== undefined && !secret) return flag === 'port' && /^\d+$/.test(given) ? given : literal(given)
  if (variable === undefined || !(given || env[variable])) return undefined
  return `"\${${variable}}"`
}

/** JSON is YAML; `${` in a flag is no reference. */
const literal = (text: string) => JSON.stringify(text.replaceAll('${', () => '$${'))

function isMissing(flag: Flag, flags: DocumentFlags, env: Environment): boolean {
  const { required, variable } = flagTargets[flag]
  return required === true && !flags[flag] && !(variable !== undefined && env[variable])
}

function missingFlag(flag: Flag): Problem {
  const { pointer, variable } = flagTargets[flag]
  const start = { line: 1, column: 1, offset: 0 }
  return {
    rule: 'flags/missing',
    severity: 'error',
    file: FLAGS_FILE,
    start,
    end: start,
    pointer,
    path: `--${flag}`,
    message: 'is missing',
    hint: variable === undefined ? `Add --${flag}.` : `Add --${flag} or set ${variable}.`,
  }
}
