// Auth type `api_key`: one fixed header or query parameter on every request, whoever calls. No I/O.
import type { ApiKeyAuth } from '../config/types.ts'
import type { Credentials, UpstreamAuth } from '../slots.ts'

export function apiKey(entry: ApiKeyAuth): UpstreamAuth {
  const credentials = keyCredentials(entry, entry.value)
  return { attach: async () => credentials }
}

/** A key where the upstream looks for it (OpenAPI's `in` and `name`). */
export function keyCredentials(
  { in: place, name }: Pick<ApiKeyAuth, 'in' | 'name'>,
  value: string,
): Credentials {
  return place === 'query'
    ? { headers: {}, query: { [name]: value } }
    : { headers: { [name.toLowerCase()]: value } }
}
