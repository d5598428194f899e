// Login `none`: nobody is asked who they are. Each browser is a subject of its own, and no two share one.
import { mintGrantId } from '../oauth/tokens.ts'
import type { Login, Subject } from '../slots.ts'

const PREFIX = 'none/'
/** As long as an unused link is kept: the browser's cookie is all that leads back to it. */
const SESSION_TTL_MS = 90 * 24 * 60 * 60 * 1000

export function noneLogin(): Login {
  return {
    prefix: PREFIX,
    reusableNames: new Set(),
    prompt: { kind: 'anonymous' },
    sessionTtlMs: SESSION_TTL_MS,
    submit: async () => `${PREFIX}${mintGrantId()}` as Subject,
    // No user name looks like this, so no access list can mean it.
    profile: () => ({ kind: 'person', name: '(anonymous)', groups: [], claims: {} }),
  }
}
