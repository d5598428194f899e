// Auth type `none`: the upstream asks for nothing, so nothing is added.
import type { UpstreamAuth } from '../slots.ts'

export function none(): UpstreamAuth {
  return { attach: async () => ({ headers: {} }) }
}
