// Auth type `client_credentials`: one token for everybody, which the gateway gets in its own name.
import type { ClientCredentialsAuth } from '../config/types.ts'
import { hashToken } from '../oauth/tokens.ts'
import type { UpstreamAuth } from '../slots.ts'
import { clientCredentials as requestToken } from '../upstream/service-tokens.ts'
import { bearer, bearerIn } from './bearer.ts'
import type { AuthContext } from './context.ts'
import type { Destination } from './destination.ts'
import type { Place } from './held-tokens.ts'
import { serviceSource } from './service-source.ts'

export function clientCredentials(entry: ClientCredentialsAuth, context: AuthContext): UpstreamAuth {
  const { heldTokens, http, now } = context.deps
  const { audience } = entry
  const source = serviceSource(entry, 'client_credentials', context)

  const placeOf = (destination: Destination): Place => ({
    key: `client_credentials/${hashToken(JSON.stringify([source.fingerprint(destination), audience]))}`,
    subject: undefined,
  })

  async function token(): Promise<string> {
    const destination = await source.destination()
    return heldTokens.get(placeOf(destination), () =>
      source.request(destination, (at) =>
        requestToken({ http, server: at.server, nowMs: now() }, { ...at, audience }),
      ),
    )
  }

  return {
    clientDocuments: source.clientDocuments,
    async warmUp() {
      await token()
    },
    attach: async () => bearer(await token()),
    async rejected(_caller, sent, time) {
      const refused = bearerIn(sent)
      if (time === 2 || refused === undefined) return false
      return heldTokens.refused(placeOf(await source.destination()), refused)
    },
  }
}
