// Reads a client's request body, bounded, into one buffer: it may have to be sent twice (after a token refresh).
// It writes nothing; after a refusal the rest of the body is unread, so the caller must close the connection.
import type { IncomingMessage } from 'node:http'
import { HttpError } from '../errors.ts'

const EMPTY = Buffer.alloc(0)
const FIRST_BUFFER_BYTES = 16 * 1024

/** MCP sends a body with POST only. */
const METHODS_WITH_BODY = new Set(['POST'])

export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const declaredBytes = declaredLength(request)
  if (!METHODS_WITH_BODY.has(request.method ?? '')) {
    // Servers disagree on where such a message ends, so it could hide a second request (sec-P11).
    if (declaredBytes !== 0) throw new HttpError(400, `${request.method} must not have a body`)
    return EMPTY
  }
  const coding = request.headers['content-encoding']?.trim().toLowerCase() || 'identity'
  if (coding !== 'identity') throw new HttpError(415, 'the request body must not be compressed')
  if (declaredBytes !== undefined && declaredBytes > limitBytes) throw tooLarge(limitBytes)
  if (request.destroyed) throw cutOff()
  return collect(request, declaredBytes ?? Math.min(FIRST_BUFFER_BYTES, limitBytes), limitBytes)
}

/** Undefined when only the end of the chunks will tell. */
function declaredLength({ headers }: IncomingMessage): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined
  return Number(headers['content-length'] ?? 0)
}

// Copies into one growing buffer: a list of the chunks would let 4 MiB sent as one-byte chunks cost 500 MiB.
function collect(request: IncomingMessage, expectedBytes: number, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let body: Buffer = Buffer.allocUnsafe(expectedBytes)
    let used = 0
    const onData = (chunk: Buffer) => {
      if (used + chunk.length > limitBytes) {
        settle(() => reject(tooLarge(limitBytes)))
        request.pause()
        return
      }
      body = withRoom(body, used, chunk.length)
      used += chunk.copy(body, used)
    }
    const onEnd = () => settle(() => resolve(body.subarray(0, used)))
    const onCut = () => settle(() => reject(cutOff()))
    const settle = (done: () => void) => {
      request.off('data', onData).off('end', onEnd).off('close', onCut)
      done()
    }
    request.on('data', onData).on('end', onEnd).on('close', onCut)
  })
}

function withRoom(buffer: Buffer, used: number, extra: number): Buffer {
  if (used + extra <= buffer.length) return buffer
  const larger = Buffer.allocUnsafe(Math.max(used + extra, 2 * buffer.length))
  buffer.copy(larger, 0, 0, used)
  return larger
}

const tooLarge = (limitBytes: number) =>
  new HttpError(413, `the request body is larger than ${limitBytes} bytes`)

const cutOff = () => new HttpError(400, 'the request body was cut off', { reason: 'client_gone' })
