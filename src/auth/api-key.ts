// Auth type `api_key`: one fixed header or query parameter on every request, whoever calls. No I/O.
import type { ApiKeyAuth } from '../config/types.ts'
import type { Credentials, UpstreamAuth } from '../slots.ts'

export function apiKey({ in: place, name, value }: ApiKeyAuth): UpstreamAuth {
  const credentials: Credentials =
    place === 'query'
      ? { headers: {}, query: { [name]: value } }
      : { headers: { [name.toLowerCase()]: value } }
  return { attach: async () => credentials }
}
