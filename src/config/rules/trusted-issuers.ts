// Rules about issuers besides the gateway, and about routes that take their tokens.
import { isOwnAddress } from '../../oauth/own-address.ts'
import { needsPerson } from '../auth-traits.ts'
import { childPointer } from '../pointer.ts'
import { replaceBy } from '../scalar.ts'
import { didYouMean, onlyClosest } from '../suggest.ts'
import { issuerMistake } from './authorization-servers.ts'
import { type Facts, isPlainHttp, type NamedRoute, type Rule, routesOf } from './rule.ts'

const unknownIssuer: Rule = {
  id: 'reference/token-issuer',
  severity: 'error',
  *check(facts) {
    const names = facts.names('/trusted_issuers')
    for (const { pointer, issuer } of issuerRoutes(facts)) {
      if (names.includes(issuer) || !facts.known(`${pointer}/token_issuer/name`)) continue
      yield {
        pointer: `${pointer}/token_issuer/name`,
        message: `there is no trusted issuer "${issuer}"`,
        hint: didYouMean(issuer, names) ?? 'Add it under trusted_issuers.',
        ...replaceBy(onlyClosest(issuer, names)),
      }
    }
  },
}

/** Nobody comes by the gateway's pages there, so nobody could be asked. */
const signInNeeded: Rule = {
  id: 'route/token-issuer',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of issuerRoutes(facts)) {
      if (!needsPerson(route.auth) || !facts.known(`${pointer}/auth`)) continue
      yield {
        pointer: `${pointer}/token_issuer`,
        at: 'key',
        message: `with auth type ${route.auth.type} people come by the gateway's own pages, and here they do not`,
        hint: 'Write auth: none, or one of type api_key, client_credentials or token_exchange.',
      }
    }
  },
}

const unusedIssuer: Rule = {
  id: 'trusted-issuer/unused',
  severity: 'warning',
  needs: ['/routes'],
  *check(facts) {
    const used = new Set(issuerRoutes(facts).map(({ issuer }) => issuer))
    for (const [name, { id_jag: idJag }] of Object.entries(facts.config.trusted_issuers)) {
      const pointer = childPointer('/trusted_issuers', name)
      if (used.has(name) || idJag || !facts.known(`${pointer}/id_jag`)) continue
      const hint = 'Name it as token_issuer of a route, set id_jag, or remove it.'
      yield { pointer, at: 'key', message: 'nothing takes its tokens', hint }
    }
  },
}

const issuerShape: Rule = {
  id: 'trusted-issuer/issuer',
  severity: 'error',
  *check(facts) {
    for (const [name, { issuer }] of Object.entries(facts.config.trusted_issuers)) {
      const pointer = `${childPointer('/trusted_issuers', name)}/issuer`
      const wrong = facts.known(pointer) && issuerMistake(issuer)
      if (wrong) yield { pointer, ...wrong }
    }
  },
}

const plainKeys: Rule = {
  id: 'trusted-issuer/jwks-uri',
  severity: 'error',
  *check(facts) {
    for (const [name, { jwks_uri: uri }] of Object.entries(facts.config.trusted_issuers)) {
      const pointer = `${childPointer('/trusted_issuers', name)}/jwks_uri`
      if (uri === undefined || !facts.known(pointer) || !isPlainHttp(uri)) continue
      yield {
        pointer,
        message: 'whoever changes the keys on their way is anybody they like',
        hint: 'Use https.',
      }
    }
  },
}

const sameIssuer: Rule = {
  id: 'trusted-issuer/duplicate',
  severity: 'error',
  *check(facts) {
    const owners = new Map<string, string>()
    for (const [name, { issuer }] of Object.entries(facts.config.trusted_issuers)) {
      const pointer = `${childPointer('/trusted_issuers', name)}/issuer`
      if (!facts.known(pointer)) continue
      const owner = owners.get(issuer)
      if (owner === undefined) owners.set(issuer, pointer)
      else {
        const message = `this issuer is already there (${facts.place(owner)})`
        yield { pointer, message, hint: 'Keep one of the two.' }
      }
    }
  },
}

/** What it signs for upstreams, about people of its own, would be a sign-in here. */
const ownIssuer: Rule = {
  id: 'trusted-issuer/self',
  severity: 'error',
  *check(facts) {
    const { public_url: publicUrl } = facts.config.server
    if (publicUrl === undefined || !facts.known('/server/public_url')) return
    for (const [name, trusted] of Object.entries(facts.config.trusted_issuers)) {
      for (const member of ['issuer', 'jwks_uri'] as const) {
        const pointer = `${childPointer('/trusted_issuers', name)}/${member}`
        const url = trusted[member]
        if (url === undefined || !facts.known(pointer) || !isOwnAddress(url, publicUrl)) continue
        yield { pointer, message: 'is this gateway itself', hint: 'Remove it.' }
      }
    }
  },
}

function issuerRoutes(facts: Facts): (NamedRoute & { readonly issuer: string })[] {
  return routesOf(facts).flatMap((named) => {
    const { token_issuer: issuer } = named.route
    return issuer === undefined ? [] : [{ ...named, issuer: issuer.name }]
  })
}

export const trustedIssuerRules = [
  unknownIssuer,
  signInNeeded,
  unusedIssuer,
  issuerShape,
  plainKeys,
  sameIssuer,
  ownIssuer,
]
