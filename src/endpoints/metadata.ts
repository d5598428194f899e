// The well-known documents. Always JSON, 200 or 404: clients probe several addresses and give up on anything else (spec-D12).
import type { Reply } from '../reply.ts'
import { jsonReply } from '../reply.ts'
import type { Handle } from './endpoint.ts'

const CACHE = { 'cache-control': 'public, max-age=60' }

export const wellKnown: Handle = async ({ path }, gateway): Promise<Reply> => {
  const document = gateway.documents.get(path)
  if (document === undefined) return notFound()
  return { ...jsonReply(200, null, CACHE), body: document }
}

/** The same for every path that is not there, so that it tells nothing of the paths that are. */
export function notFound(): Reply {
  return jsonReply(404, { error: 'not_found', error_description: 'there is nothing at this address' })
}
