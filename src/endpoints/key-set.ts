// GET /.well-known/jwks.json: the public halves of the keys that the gateway signs with.
import { jsonReply } from '../reply.ts'
import type { Handle } from './endpoint.ts'

/** Shorter than the overlap of two keys: whoever caches it knows a key before it signs. */
const HEADERS = { 'cache-control': 'public, max-age=3600' }

export const keySet: Handle = async (_request, _gateway, { signingKeys }) =>
  jsonReply(200, await signingKeys.published(), HEADERS)
