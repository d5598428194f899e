// A new configuration from parts: what each source (presets, discovery) contributes, and the text of the whole. Pure.

/** What one source contributes. Lines are indented as if they stood alone. */
export interface Section {
  readonly route: string
  /** Whom the steps are about. */
  readonly title: string
  /** An entry of `authorization_servers`. */
  readonly server?: readonly string[]
  /** An entry of `routes`. */
  readonly lines: readonly string[]
  /** What a person does elsewhere before it works. */
  readonly steps: readonly string[]
}

/** Where a gateway is before it has a public URL. */
export const LOCAL = 'http://localhost:8002'

export const MODELINE = '# yaml-language-server: $schema=./gateways.schema.json'

export function document(sections: readonly Section[]): string {
  const servers = sections.flatMap(({ server }) => (server ? [server] : []))
  const routes = sections.map(({ route, lines }) => [`# ${LOCAL}/${route}`, ...lines])
  const lines = [
    MODELINE,
    '#',
    '# What the gateway serves. Edit and save: a running gateway takes the change over at once. A mistake changes nothing and',
    '# is reported with its line; `mcp-oauth-gateway validate` finds it before you save.',
    'version: 1',
    '',
    ...REACHABLE,
    ...(servers.length > 0 ? ['', 'authorization_servers:', ...entries(servers)] : []),
    '',
    'routes:',
    ...entries(routes),
    '',
  ]
  return lines.join('\n')
}

const REACHABLE = [
  '# For others than this machine: redirect URIs begin with public_url, so set it before you register them anywhere.',
  '# server:',
  '#   host: 0.0.0.0',
  '#   public_url: https://mcp.example.com',
  '#',
  '# Who may sign in. Without this there is one user, gateway_user, with the password in MCP_GATEWAY_PASSWORD; or with one',
  '# that is made up and shown.',
  '# login:',
  '#   users:',
  '#     alice: { password_hash: "${ALICE_PASSWORD_HASH}" }   # from mcp-oauth-gateway hash-password',
]

/** Entries of a map, with an empty line between two. */
function entries(all: readonly (readonly string[])[]): string[] {
  return all.flatMap((lines, index) => [
    ...(index > 0 ? [''] : []),
    ...lines.map((line) => (line === '' ? '' : `  ${line}`)),
  ])
}

export const callbackOf = (id: string) => `${LOCAL}/upstream/callback/${id}`

/** `my-route` → `MY_ROUTE`. */
export const variablePrefix = (name: string) =>
  name
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, '_')
    .replace(/^(?=\d)/, '_')

/** A text from elsewhere as a YAML value (JSON is YAML). `${` in it is no reference: a server must not get at variables. */
export const literal = (text: string) => JSON.stringify(text.replaceAll('${', () => '$${'))

/** Comment lines of at most 110 columns, those after the first indented by `hang`. Nothing in them can end the comment. */
export function comment(text: string, hang = ''): string[] {
  const lines: string[] = []
  for (const word of text.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ').split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + word.length > 108)
      lines.push(`# ${last === undefined ? '' : hang}${word}`)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}
