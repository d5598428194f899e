// Auth type `authorization_code`: each person signs in at the upstream (screen 2); their token goes out, kept fresh, and
// only to the upstream that their link was made for.
import type { AuthorizationCodeAuth } from '../config/types.ts'
import { OAuthError } from '../errors.ts'
import { missing } from '../oauth/scope.ts'
import type { Caller, UpstreamAuth } from '../slots.ts'
import { bearer, bearerIn } from './bearer.ts'
import { sourceOf } from './configured-server.ts'
import type { AuthContext } from './context.ts'
import { freshLinks } from './fresh-links.ts'
import { accountOf } from './links.ts'
import { refusedNow } from './refused-scopes.ts'
import { upstreamSignIn } from './sign-in.ts'

export function authorizationCode(entry: AuthorizationCodeAuth, context: AuthContext): UpstreamAuth {
  const { links, now } = context.deps
  const source = sourceOf(entry, context)
  const fresh = freshLinks(source, context)

  return {
    link: upstreamSignIn(entry, context, source, fresh),
    ...(source.clientDocument && { clientDocuments: [source.clientDocument] }),
    warmUp: async () => {
      if ((await source.known()) === undefined) await source.renew()
    },

    async attach({ subject }) {
      const found = await fresh.usable(subject)
      if (found === undefined) {
        throw new OAuthError('invalid_token', 'the upstream account is not connected: sign in again', {
          reason: 'no_link',
        })
      }
      return { ...bearer(found.tokens.accessToken), accountSinceMs: accountOf(found) }
    },

    async demanded({ subject }: Caller, scopes) {
      const known = await fresh.find(subject)
      if (known === undefined) return false
      const { link } = known.found
      const lacking = missing(link.asked, scopes, context.scopes.implies)
      const isInVain = refusedNow(link, now()).some((scope) => lacking.includes(scope))
      return lacking.length > 0 && !isInVain && links.want(known.found, scopes)
    },

    async rejected({ subject }: Caller, sent, time) {
      const known = await fresh.find(subject)
      if (known === undefined) return false
      const { found } = known
      const isCurrent = bearerIn(sent) === found.tokens.accessToken
      if (time === 1 && !isCurrent) return true
      if (time === 1 && found.tokens.refreshToken !== undefined) {
        return (await fresh.renew(subject, known)) !== undefined
      }
      // Refused although fresh, or with nothing to refresh it by: only the person can mend that.
      if (isCurrent) await links.bury(found)
      return false
    },
  }
}
