// Rules about the clients that the configuration knows.
import { createPublicKey } from 'node:crypto'
import { messageOf } from '../../message-of.ts'
import { JWT_BEARER } from '../../oauth/grant-types.ts'
import { BROWSER_SCHEMES, checkRegistrable } from '../../oauth/redirect-uri.ts'
import { needsPerson } from '../auth-traits.ts'
import { childPointer } from '../pointer.ts'
import type { PublicKey, StaticClient } from '../types.ts'
import { type Facts, isPlainHttp, type Rule, routesOf } from './rule.ts'

/** The same judgement as at registration: what a stranger may not register, a file may not slip in. */
const redirectUri: Rule = {
  id: 'client/redirect-uri',
  severity: 'error',
  *check(facts) {
    const { static: clients, registration } = facts.config.clients
    for (const [id, client] of Object.entries(clients)) {
      for (const [index, uri] of client.redirect_uris.entries()) {
        const pointer = `${childPointer('/clients/static', id)}/redirect_uris/${index}`
        if (!facts.known(pointer)) continue
        try {
          checkRegistrable(uri, registration.redirect_schemes)
        } catch (error) {
          yield {
            pointer,
            message: messageOf(error),
            hint: 'Write it as the client sends it.',
          }
        }
      }
    }
  },
}

const redirectSchemes: Rule = {
  id: 'clients/redirect-scheme',
  severity: 'error',
  *check({ config, known }) {
    for (const [index, scheme] of config.clients.registration.redirect_schemes.entries()) {
      const pointer = `/clients/registration/redirect_schemes/${index}`
      if (!known(pointer) || !BROWSER_SCHEMES.has(scheme)) continue
      yield {
        pointer,
        message: `${scheme} is no private-use scheme`,
        hint: 'Name schemes that one app owns, such as cursor.',
      }
    }
  },
}

/** Ways to prove that it is this client: at most one, so that nobody wonders which counts. */
const PROOFS = ['client_secret', 'jwks_uri', 'jwks'] as const

const proofsOf = (client: StaticClient) => PROOFS.filter((proof) => client[proof] !== undefined)

function* clientsOf({
  config,
}: Facts): Iterable<{ readonly pointer: string; readonly client: StaticClient }> {
  for (const [id, client] of Object.entries(config.clients.static)) {
    yield { pointer: childPointer('/clients/static', id), client }
  }
}

const introspectWithoutProof: Rule = {
  id: 'client/introspect',
  severity: 'error',
  *check(facts) {
    for (const { pointer, client } of clientsOf(facts)) {
      if (!client.introspect || proofsOf(client).length > 0) continue
      yield {
        pointer: `${pointer}/introspect`,
        message: 'anybody could introspect under the name of a client without a secret',
        hint: 'Add client_secret, jwks_uri or jwks.',
      }
    }
  },
}

const oneProof: Rule = {
  id: 'client/authentication',
  severity: 'error',
  *check(facts) {
    for (const { pointer, client } of clientsOf(facts)) {
      const [first, second] = proofsOf(client)
      if (second === undefined) continue
      const message = `the client authenticates with ${first} or with ${second}, not with both`
      yield { pointer: `${pointer}/${second}`, at: 'key', message, hint: 'Remove one of the two.' }
    }
  },
}

/** Without a person, all that stands between the upstream and a stranger is the client's own proof (RFC 6749 §4.4). */
const grantNeedsProof: Rule = {
  id: 'client/grant-types',
  severity: 'error',
  needs: ['/clients'],
  *check(facts) {
    for (const { pointer, client } of clientsOf(facts)) {
      for (const [index, type] of client.grant_types.entries()) {
        if (type === 'authorization_code' || proofsOf(client).length > 0) continue
        yield {
          pointer: `${pointer}/grant_types/${index}`,
          message: 'anybody could get tokens under the name of a client that proves nothing',
          hint: 'Add client_secret, jwks_uri or jwks.',
        }
      }
    }
  },
}

const redirectWithoutSignIn: Rule = {
  id: 'client/no-sign-in',
  severity: 'error',
  *check(facts) {
    for (const { pointer, client } of clientsOf(facts)) {
      if (client.redirect_uris.length === 0 || client.grant_types.includes('authorization_code')) continue
      yield {
        pointer: `${pointer}/redirect_uris`,
        at: 'key',
        message: 'nobody is ever sent back to a client without authorization_code',
        hint: 'Remove them, or add authorization_code to grant_types.',
      }
    }
  },
}

const usableKey: Rule = {
  id: 'client/jwks',
  severity: 'error',
  *check(facts) {
    for (const { pointer, client } of clientsOf(facts)) {
      for (const [index, key] of (client.jwks?.keys ?? []).entries()) {
        const at = `${pointer}/jwks/keys/${index}`
        const isKnown = Object.keys(key).every((member) => facts.known(childPointer(at, member)))
        const message = isKnown ? flawOf(key) : undefined
        if (message === undefined) continue
        yield { pointer: at, message, hint: 'Write the public key as the client publishes it (RFC 7517).' }
      }
    }
  },
}

const plainKeys: Rule = {
  id: 'client/jwks-uri',
  severity: 'error',
  *check(facts) {
    for (const { pointer, client } of clientsOf(facts)) {
      const at = `${pointer}/jwks_uri`
      if (client.jwks_uri === undefined || !facts.known(at) || !isPlainHttp(client.jwks_uri)) continue
      yield {
        pointer: at,
        message: 'whoever changes the keys on their way is this client',
        hint: 'Use https.',
      }
    }
  },
}

/** RFC 7518 §3.3: no shorter. */
const MIN_RSA_BITS = 2048

function flawOf(key: PublicKey): string | undefined {
  try {
    const { asymmetricKeyDetails } = createPublicKey({ key: { ...key }, format: 'jwk' })
    const { modulusLength = MIN_RSA_BITS } = asymmetricKeyDetails ?? {}
    return modulusLength < MIN_RSA_BITS ? `is an RSA key of fewer than ${MIN_RSA_BITS} bits` : undefined
  } catch {
    return 'is no usable public key'
  }
}

const machineWithoutRoute: Rule = {
  id: 'client/no-route',
  severity: 'warning',
  needs: ['/clients', '/routes', '/defaults'],
  *check(facts) {
    if (routesOf(facts).some(({ route }) => !route.token_issuer && !needsPerson(route.auth))) return
    for (const { pointer, client } of clientsOf(facts)) {
      const index = client.grant_types.indexOf('client_credentials')
      if (index === -1) continue
      yield {
        pointer: `${pointer}/grant_types/${index}`,
        message:
          'every route needs a person, or the token of another issuer, so this client gets no token for itself',
        hint: 'Give it a route with another auth, such as api_key, and without token_issuer.',
      }
    }
  },
}

const assertionsOfNobody: Rule = {
  id: 'client/no-issuer',
  severity: 'warning',
  needs: ['/clients', '/trusted_issuers'],
  *check(facts) {
    if (Object.values(facts.config.trusted_issuers).some(({ id_jag: idJag }) => idJag)) return
    for (const { pointer, client } of clientsOf(facts)) {
      const index = client.grant_types.indexOf(JWT_BEARER)
      if (index === -1) continue
      yield {
        pointer: `${pointer}/grant_types/${index}`,
        message: 'nobody is trusted to make the assertions that this client would bring',
        hint: 'Add id_jag: true to one of trusted_issuers.',
      }
    }
  },
}

export const clientRules = [
  redirectUri,
  redirectSchemes,
  introspectWithoutProof,
  oneProof,
  grantNeedsProof,
  redirectWithoutSignIn,
  plainKeys,
  usableKey,
  machineWithoutRoute,
  assertionsOfNobody,
]
