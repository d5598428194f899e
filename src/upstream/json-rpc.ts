// The two facts of JSON-RPC 2.0 a failing proxy needs: which request failed, and how to say so. No I/O.

/**
 * The only codes the gateway writes. -32000…-32099 belong to MCP and its servers: clients read meaning into them
 * (a HeaderMismatch, an unsupported version), so a code of ours from that range would be taken for the upstream's.
 */
export const JSON_RPC_CODE = { invalid_request: -32600, internal_error: -32603 } as const

export type JsonRpcCode = (typeof JSON_RPC_CODE)[keyof typeof JSON_RPC_CODE]

export type RequestId = string | number

/** The `id` a failure must carry. Parses the whole body, so call it only once something has failed. Batches have no one id. */
export function requestId(body: Uint8Array): RequestId | null {
  const message = parseJson(body)
  if (typeof message !== 'object' || message === null || !('id' in message)) return null
  const { id } = message
  return typeof id === 'string' || typeof id === 'number' ? id : null
}

/** `id` is left out rather than sent as null: MCP's schema makes it optional and does not admit null. */
export function jsonRpcError(id: RequestId | null, code: JsonRpcCode, message: string): string {
  const error = { code, message }
  return JSON.stringify(id === null ? { jsonrpc: '2.0', error } : { jsonrpc: '2.0', id, error })
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString())
  } catch {
    return undefined
  }
}
