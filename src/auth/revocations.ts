// Upstream tokens that the gateway forgot, being taken back in the background: nobody waits for it, and nobody is told
// but the log.
import { UpstreamError } from '../errors.ts'
import { messageOf } from '../message-of.ts'
import type { Log } from '../ops/log.ts'
import type { Subject } from '../slots.ts'
import type { ControlHttp } from '../upstream/http.ts'
import { revokeTokens } from '../upstream/revocation.ts'
import type { UpstreamServer, UpstreamTokens } from '../upstream/server.ts'

export interface Revocations {
  start(subject: Subject, server: UpstreamServer, tokens: UpstreamTokens): void
  /** Resolves when those that are under way now are over, one way or the other. */
  settled(): Promise<void>
}

export function createRevocations(http: ControlHttp, log: Log): Revocations {
  const underway = new Set<Promise<void>>()

  async function revoke(subject: Subject, server: UpstreamServer, tokens: UpstreamTokens): Promise<void> {
    try {
      await revokeTokens(http, server, tokens)
      log.info('upstream tokens revoked', { subject })
    } catch (error) {
      const detail = error instanceof UpstreamError ? error.detail : {}
      const reason = messageOf(error)
      log.warn('upstream tokens not revoked', { subject, reason, ...detail })
    }
  }

  return {
    start(subject, server, tokens) {
      if (server.revocation === undefined) return
      const started: Promise<void> = revoke(subject, server, tokens).finally(() => underway.delete(started))
      underway.add(started)
    },
    async settled() {
      await Promise.all(underway)
    },
  }
}
