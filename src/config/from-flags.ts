// The ancestor's flags → the same document that a file would hold, in memory. Secrets go through the environment.
import type { Environment } from '../environment.ts'
import { ConfigError, type Problem } from './problem.ts'

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
  readonly secret?: true
}

const AUTH = '/routes/mcp/auth'
const SERVER = `${AUTH}/authorization_server`

export const flagTargets: Readonly<Record<Flag, FlagTarget>> = {
  port: { pointer: '/server/port' },
  host: { pointer: '/server/host' },
  'upstream-rs': { pointer: '/routes/mcp/upstream' },
  'upstream-as': { pointer: `${SERVER}/issuer` },
  'upstream-client-id': {
    pointer: `${SERVER}/client_id`,
    variable: 'MCP_GATEWAY_UPSTREAM_CLIENT_ID',
  },
  'upstream-client-secret': {
    pointer: `${SERVER}/client_secret`,
    variable: 'MCP_GATEWAY_UPSTREAM_CLIENT_SECRET',
    secret: true,
  },
  'upstream-authorize-endpoint': {
    pointer: `${SERVER}/authorization_endpoint`,
    variable: 'MCP_GATEWAY_UPSTREAM_AUTHORIZE_ENDPOINT',
  },
  'upstream-token-endpoint': {
    pointer: `${SERVER}/token_endpoint`,
    variable: 'MCP_GATEWAY_UPSTREAM_TOKEN_ENDPOINT',
  },
}

/** The name under which problems mention the document. */
const FLAGS_FILE = '(flags)'

export interface FlagsDocument {
  readonly text: string
  /** The environment to load the text with: it also holds what must not stand in the text. */
  readonly env: Environment
}

/** Throws ConfigError that names the flags to add. */
export function documentFromFlags(flags: DocumentFlags, env: Environment): FlagsDocument {
  const missing = missingFlags((flag) => isGiven(flag, flags, env))
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
    const named = found ? { ...problem, path: `--${found[0]}` } : problem
    const { hint = '' } = problem
    return NAMES_SETTING.test(hint) ? { ...named, hint: `${hint} ${WRITE_A_FILE}` } : named
  })
}

/** What a hint about a file may name; of these, flags set the host and the port. */
const NAMES_SETTING = /\b(?:server\.(?!host\b|port\b)|login\.)\w/
const WRITE_A_FILE =
  'No flag sets that: make a file of the other flags with `mcp-oauth-gateway init --from-flags -- …`, and write the rest there.'

function writeDocument(flags: DocumentFlags, env: Environment): string {
  const line = (indent: number, name: string, flag: Flag) => {
    const value = writeValue(flag, flags, env)
    return value === undefined ? [] : [`${' '.repeat(indent)}${name}: ${value}`]
  }
  const isGiven = (flag: Flag) => writeValue(flag, flags, env) !== undefined
  const server = [...line(2, 'host', 'host'), ...line(2, 'port', 'port')]
  const authorizationServer = [
    ...line(8, 'issuer', 'upstream-as'),
    ...line(8, 'authorization_endpoint', 'upstream-authorize-endpoint'),
    ...line(8, 'token_endpoint', 'upstream-token-endpoint'),
    ...line(8, 'client_id', 'upstream-client-id'),
    ...line(8, 'client_secret', 'upstream-client-secret'),
    ...(isGiven('upstream-client-secret') && isGiven('upstream-token-endpoint') ? [AUTH_METHOD] : []),
  ]
  return [
    'version: 1',
    ...(server.length > 0 ? ['server:', ...server] : []),
    'routes:',
    '  mcp:',
    ...line(4, 'upstream', 'upstream-rs'),
    '    auth:',
    '      type: authorization_code',
    ...(authorizationServer.length > 0
      ? ['      authorization_server:', ...authorizationServer, CALLBACK]
      : []),
    '',
  ].join('\n')
}

/** Where the ancestor's users have registered their redirect URI. */
const CALLBACK = '        callback: /upstream/callback'

/** How the ancestor sent it, so its upstreams are known to take it (GitHub documents nothing else). */
const AUTH_METHOD = '        token_endpoint_auth_method: client_secret_post'

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

function isGiven(flag: Flag, flags: DocumentFlags, env: Environment): boolean {
  const { variable } = flagTargets[flag]
  return Boolean(flags[flag] || (variable !== undefined && env[variable]))
}

/** Endpoints come in a pair with a client; without them the issuer is asked, without an issuer the upstream. */
function missingFlags(given: (flag: Flag) => boolean): Flag[] {
  const fixed: Flag[] = ['upstream-authorize-endpoint', 'upstream-token-endpoint', 'upstream-client-id']
  const client: Flag[] = ['upstream-client-id', 'upstream-client-secret']
  const needed: Flag[] = fixed.slice(0, 2).some(given) ? fixed : client.some(given) ? ['upstream-as'] : []
  const withClient: Flag[] = given('upstream-client-secret') ? ['upstream-client-id'] : []
  const all = new Set<Flag>(['upstream-rs', ...needed, ...withClient])
  return [...all].filter((flag) => !given(flag))
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
    hint: HINTS[flag] ?? `Add --${flag}${variable === undefined ? '' : ` or set ${variable}`}.`,
  }
}

const HINTS: Partial<Record<Flag, string>> = {
  'upstream-rs':
    'Add --upstream-rs, the URL of the MCP server; or describe it in a file and name that by --config.',
  'upstream-as': 'Add --upstream-as; or --upstream-authorize-endpoint and --upstream-token-endpoint.',
}
