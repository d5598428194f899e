// Rules about auth types that fetch tokens without a browser, and about keys that people paste.

import type { AuthorizationServerConfig } from '../types.ts'
import { isPlainHttp, type Rule, routesOf } from './rule.ts'

/** RFC 6749 §4.4: a client that proves nothing would be anybody. A client that registers itself gets its proof there. */
const clientProof: Rule = {
  id: 'auth/client-credentials',
  severity: 'error',
  needs: ['/authorization_servers', '/routes'],
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      if (route.auth.type !== 'client_credentials') continue
      const { authorization_server: reference } = route.auth
      const servers = facts.config.authorization_servers
      const named = typeof reference === 'string' && Object.hasOwn(servers, reference)
      const server: AuthorizationServerConfig | undefined = named
        ? servers[reference]
        : typeof reference === 'object'
          ? reference
          : undefined
      if (server?.client_id === undefined || server.client_secret !== undefined) continue
      if (server.private_key !== undefined || server.token_endpoint_auth_method === 'private_key_jwt')
        continue
      yield {
        pointer: `${pointer}/auth/type`,
        message: 'the authorization server gives such tokens only to a client that authenticates',
        hint: 'Add client_secret or token_endpoint_auth_method: private_key_jwt to it.',
      }
    }
  },
}

/** Nobody else brings a token that another server could read: ours are opaque. */
const callersToken: Rule = {
  id: 'auth/subject-token',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      const { auth } = route
      if (auth.type !== 'token_exchange' || auth.subject_token !== 'caller') continue
      if (route.token_issuer !== undefined) continue
      yield {
        pointer: `${pointer}/auth/subject_token`,
        message: 'clients of this route come with a token of the gateway, which says nothing to others',
        hint: 'Write gateway, or add token_issuer to the route.',
      }
    }
  },
}

/** As written; a preset brings an address along. */
const LOCATION = ['issuer', 'token_endpoint', 'preset']

/** An upstream that names the server could name one of its own, and be each caller elsewhere. An entry under authorization_servers always has an address. */
const subjectTokenDestination: Rule = {
  id: 'auth/subject-token-destination',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      if (route.auth.type !== 'token_exchange') continue
      const { authorization_server: reference } = route.auth
      const at = `${pointer}/auth/authorization_server`
      if (typeof reference === 'string' || !facts.known(at)) continue
      if (LOCATION.some((name) => facts.names(at).includes(name))) continue
      yield {
        ...(reference === undefined
          ? { pointer: `${pointer}/auth/type` }
          : { pointer: at, at: 'key' as const }),
        message: 'the upstream would say who gets what names the caller',
        hint: 'Write authorization_server: a name under authorization_servers, or an issuer.',
      }
    }
  },
}

const keyCheck: Rule = {
  id: 'auth/key-check',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      const at = `${pointer}/auth/check`
      if (route.auth.type !== 'user_api_key' || !facts.known(at)) continue
      const { check } = route.auth
      if (check === 'mcp' || check === 'none') continue
      if (!URL.canParse(check)) {
        yield { pointer: at, message: 'is no URL', hint: 'Write mcp, none, or an absolute URL.' }
      } else if (isPlainHttp(check)) {
        yield { pointer: at, message: 'keys would cross the network unencrypted', hint: 'Use https.' }
      }
    }
  },
}

export const upstreamAuthRules = [clientProof, callersToken, subjectTokenDestination, keyCheck]
