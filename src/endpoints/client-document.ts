// GET /.well-known/oauth-client/<id>: the gateway's own client ID metadata documents. An upstream authorization server reads
// there who it is that wants to sign somebody in.
import { jsonReply } from '../reply.ts'
import type { Handle } from './endpoint.ts'
import { notFound } from './metadata.ts'

const DOCUMENT_HEADERS = { 'cache-control': 'public, max-age=300' }

export const clientDocument: Handle = async ({ path }, { routes }) => {
  // Routes that share an authorization server share the document; which of them knows it first is chance.
  const here = [...routes.values()]
    .flatMap(({ auth }) => auth.clientDocuments ?? [])
    .filter((document) => document.path === path.split('~', 1)[0])
  const grantTypes = [...new Set(here.flatMap((document) => document.grantTypes))]
  for (const { read } of here) {
    const document = await read(path, grantTypes)
    if (document !== undefined) return jsonReply(200, document, DOCUMENT_HEADERS)
  }
  return notFound()
}
