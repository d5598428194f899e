// Rules about where the gateway listens, how it is reached and how people sign in to it.
import { isLoopbackHost } from '../../loopback.ts'
import { isPlainHttp, type Rule } from './rule.ts'

const publicUrlIsHttps: Rule = {
  id: 'server/public-url',
  severity: 'error',
  *check({ config: { server }, known }) {
    const pointer = '/server/public_url'
    if (server.public_url === undefined || !known(pointer) || !isPlainHttp(server.public_url)) return
    // Cookies and codes would cross the network in the clear (RFC 9700 §2.6).
    yield {
      pointer,
      message: 'must be https off loopback',
      hint: 'Write https:// and let a proxy or server.tls do TLS.',
    }
  },
}

const exposedNeedsPublicUrl: Rule = {
  id: 'server/exposed',
  severity: 'error',
  needs: ['/server'],
  *check({ config: { server }, known }) {
    if (!known('/server/host') || isLoopbackHost(server.host) || server.public_url !== undefined) return
    const hint = 'Add server.public_url, the https origin that clients use.'
    yield {
      pointer: '/server/host',
      message: 'listens beyond loopback, and server.public_url is missing',
      hint,
    }
  },
}

const exposedNeedsLogin: Rule = {
  id: 'login/exposed',
  severity: 'error',
  needs: ['/server/host', '/login'],
  *check({ config: { server, login }, known }) {
    if (!known('/server/host') || isLoopbackHost(server.host) || login.users || login.none) return
    const hint = 'Add login.users; or login.none, if everyone who reaches it may come in.'
    yield {
      pointer: '/server/host',
      message: 'listens beyond loopback, and nobody is named under login',
      hint,
    }
  },
}

const tlsIsPem: Rule = {
  id: 'server/tls',
  severity: 'error',
  *check({ config: { server }, known }) {
    for (const [part, label] of [
      ['cert', 'CERTIFICATE'],
      ['key', 'PRIVATE KEY'],
    ] as const) {
      const pointer = `/server/tls/${part}`
      if (!server.tls || !known(pointer) || server.tls[part].includes(`${label}-----`)) continue
      yield {
        pointer,
        message: `is no PEM text with a ${label} in it`,
        hint: 'Write ${file:/path/to/it.pem}.',
      }
    }
  },
}

const environmentOrUsers: Rule = {
  id: 'login/environment',
  severity: 'error',
  *check({ config: { login }, env }) {
    const set = ['MCP_GATEWAY_USERNAME', 'MCP_GATEWAY_PASSWORD'].filter((name) => env?.[name])
    if (!login.users || set.length === 0) return
    const message = `${set.join(' and ')} would be ignored beside login.users`
    yield { pointer: '/login/users', at: 'key', message, hint: 'Unset it, or remove login.users.' }
  },
}

/** A PHC string as `hash-password` prints it. */
const PHC = /^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$/

const passwordHash: Rule = {
  id: 'login/password-hash',
  severity: 'error',
  *check({ config: { login }, known }) {
    for (const [name, user] of Object.entries(login.users ?? {})) {
      const pointer = `/login/users/${name}/password_hash`
      if (!known(pointer) || PHC.test(user.password_hash)) continue
      const hint =
        'Make one with `mcp-oauth-gateway hash-password`; quote it in shells and .env files, for it contains $.'
      yield { pointer, message: 'what it stands for is no argon2id hash', hint }
    }
  },
}

export const serverRules = [
  publicUrlIsHttps,
  exposedNeedsPublicUrl,
  exposedNeedsLogin,
  tlsIsPem,
  environmentOrUsers,
  passwordHash,
]
