// What a person sees when the gateway is ready: what to paste where, and how to sign in. Pure.
import type { LogDetail } from '../errors.ts'
import type { Gateway } from '../gateway.ts'
import type { InitialUser } from '../login/initial-user.ts'

export interface BannerInput {
  readonly version: string
  readonly gateway: Gateway
  readonly source: string
  readonly initialUser: InitialUser | undefined
  /** The password may be shown on a terminal; anywhere else it would end in a log (design §3). */
  readonly showPassword: boolean
}

export function banner({ version, gateway, source, initialUser, showPassword }: BannerInput): string {
  const routes = [...gateway.routes.values()]
  const width = Math.max(...routes.map(({ name }) => name.length), 0)
  const lines = [
    '',
    `  mcp-oauth-gateway ${version} is ready at ${gateway.issuer}`,
    `  configuration: ${source}, ${routes.length === 1 ? '1 route' : `${routes.length} routes`}`,
    '',
    '  Paste into an MCP client:',
    ...routes.map(({ name, resource }) => `    ${name.padEnd(width)}  ${resource}`),
    '',
    '  Or, for Claude Code:',
    ...routes.map(({ name, resource }) => `    claude mcp add --transport http ${name} ${resource}`),
    '',
    ...howToSignIn(gateway, initialUser, showPassword),
    '',
  ]
  return lines.join('\n')
}

function howToSignIn(
  gateway: Gateway,
  initialUser: InitialUser | undefined,
  showPassword: boolean,
): string[] {
  if (initialUser === undefined) {
    const asksPassword = gateway.logins.some(({ prompt }) => prompt.kind === 'password')
    return [asksPassword ? '  Sign in as one of login.users.' : '  Nobody is asked to sign in (login.none).']
  }
  const { name, password, file } = initialUser
  if (file === undefined) return [`  Sign in as ${name} with the password in MCP_GATEWAY_PASSWORD.`]
  return [
    `  Sign in as ${name}`,
    showPassword ? `  with the password ${password}` : `  with the password in ${file}`,
  ]
}

/** The same for machines that read the log. */
export function readyFields({ version, gateway, source, initialUser }: BannerInput): LogDetail {
  return {
    version,
    url: gateway.issuer,
    source,
    routes: [...gateway.routes.values()].map(({ resource }) => resource).join(' '),
    ...(initialUser && { user: initialUser.name, passwordFile: initialUser.file }),
  }
}
