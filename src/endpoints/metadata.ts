// The well-known documents. Always JSON, 200 or 404: clients probe several addresses and give up on anything else (spec-D12).
import { PUBLIC_CORS } from '../policy/cors.ts'
import type { Reply } from '../reply.ts'
import { jsonReply } from '../reply.ts'
import type { Handle } from './endpoint.ts'

const DOCUMENT_HEADERS = { 'cache-control': 'public, max-age=60', ...PUBLIC_CORS }

export const wellKnown: Handle = async ({ path }, gateway): Promise<Reply> => {
  const document = gateway.documents.get(path)
  if (document !== undefined) return { ...jsonReply(200, null, DOCUMENT_HEADERS), body: document }
  // A client in a browser must be able to read that there is nothing, to go on to the next address.
  return path.startsWith('/.well-known/') ? notFound(PUBLIC_CORS) : notFound()
}

/** The same for every path that is not there, so that it tells nothing of the paths that are. */
export function notFound(headers: Readonly<Record<string, string>> = {}): Reply {
  return jsonReply(
    404,
    { error: 'not_found', error_description: 'there is nothing at this address' },
    headers,
  )
}
