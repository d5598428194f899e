// Rules about the clients that the configuration knows.
import { checkRegistrable } from '../../oauth/redirect-uri.ts'
import { childPointer } from '../pointer.ts'
import type { Rule } from './rule.ts'

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
            message: error instanceof Error ? error.message : String(error),
            hint: 'Write it as the client sends it.',
          }
        }
      }
    }
  },
}

const introspectWithoutSecret: Rule = {
  id: 'client/introspect',
  severity: 'error',
  *check(facts) {
    for (const [id, { introspect, client_secret: secret }] of Object.entries(facts.config.clients.static)) {
      if (!introspect || secret !== undefined) continue
      const pointer = `${childPointer('/clients/static', id)}/introspect`
      yield {
        pointer,
        message: 'anybody could introspect under the name of a client without a secret',
        hint: 'Add client_secret.',
      }
    }
  },
}

export const clientRules = [redirectUri, introspectWithoutSecret]
