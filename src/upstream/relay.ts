// One upstream answer on its way to one client, as undici's response handler. Three states: `pending` (the client has
// seen nothing), `relaying`, `over`. Only `pending` may end in an error; later failures cut the client's connection.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { faultOf, upstreamFault } from './fault.ts'
import { isEventStream, isMcpBody, responseHeaders } from './headers.ts'
import { JSON_RPC_CODE, jsonRpcError, requestId } from './json-rpc.ts'

const STALL_MS = 60_000
/** Node fires a longer one at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** An answer nobody wants is read on only as far as that is cheaper than a new connection. */
const DRAIN_BYTES = 64 * 1024
const DRAIN_MS = 1_000

const CANCELLED = new Error('the answer is no longer wanted')

export interface ResponseHead {
  readonly status: number
  /** As the upstream sent them, names in lower case. They are evidence: only `responseHeaders` may reach the client. */
  readonly headers: IncomingHttpHeaders
}

/**
 * `stop`: the client sees nothing of this answer, and the caller may send the request again or answer itself.
 * `pass_without_session`: it does not learn the session id that the answer names.
 */
export type Verdict = 'pass' | 'pass_without_session' | 'stop'

export interface RelayOptions {
  /** The request's body: sent, and looked at for its id when an error must carry it. */
  readonly body?: Buffer
  readonly timeouts: {
    /** How long the upstream may take to begin its answer once the request is sent; 0: for ever. */
    readonly responseMs: number
    /** How long a client may leave its answer unread before it is taken for dead (sec-P15). */
    readonly stallMs?: number
  }
  /** Judges each answer before a byte of it is written: where a 401 is caught, and where a policy may look on. */
  readonly onResponseHead?: (head: ResponseHead) => Verdict
}

/** `status` is the upstream's, 0 if it had not answered. */
export type ForwardOutcome =
  /** The client has the answer, or its status and a JSON-RPC error in place of a body we do not show. */
  | { readonly kind: 'relayed'; readonly status: number }
  /** Nothing was written. */
  | ({ readonly kind: 'stopped' } & ResponseHead)
  /** The upstream broke off in mid-answer; the client's connection was destroyed, so that it cannot look complete. */
  | { readonly kind: 'cut_off'; readonly status: number }
  /** The client left, or whoever ended its access destroyed the response. The upstream request was cancelled. */
  | { readonly kind: 'client_gone'; readonly status: number }

export interface Settle {
  readonly resolve: (outcome: ForwardOutcome) => void
  readonly reject: (error: unknown) => void
}

export class Relay implements Dispatcher.DispatchHandler {
  readonly #options: RelayOptions
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #settle: Settle
  #state: 'pending' | 'relaying' | 'over' = 'pending'
  #controller: Dispatcher.DispatchController | undefined
  #head: ResponseHead = { status: 0, headers: {} }
  #drainedBytes = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: RelayOptions, request: IncomingMessage, response: ServerResponse, settle: Settle) {
    this.#options = options
    this.#request = request
    this.#response = response
    this.#settle = settle
    // The socket, not the response: a response waiting its turn in a pipeline gets no 'close' of its own.
    request.socket.once('close', this.#onClientGone)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // The client left while the connection was being made.
    if (this.#state === 'over') this.#cancel()
    else this.#limit(() => this.#fail(upstreamFault('timeout')))
  }

  onResponseStart(_: unknown, status: number, headers: IncomingHttpHeaders): void {
    // Nothing is begun by it, so the limit runs on: an upstream that drips 1xx heads would otherwise never be late.
    if (status < 200) return
    clearTimeout(this.#timer)
    this.#head = { status, headers }
    // To follow it would be to carry the credential to whatever host it names (sec-P8).
    if (status >= 300 && status < 400) this.#refuse('redirected')
    else this.#judge()
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    if (this.#state === 'over') this.#discard(chunk)
    else if (this.#state === 'pending') this.#refuse('bad_response')
    else if (!this.#response.write(chunk)) this.#waitForReader()
  }

  onResponseEnd(): void {
    if (this.#state === 'pending') {
      this.#answer('')
    } else if (this.#state === 'relaying') {
      this.#response.end()
      this.#finish({ kind: 'relayed', status: this.#head.status })
    }
    clearTimeout(this.#timer)
  }

  onResponseError(_: unknown, error: Error): void {
    clearTimeout(this.#timer)
    if (this.#state === 'pending') this.#fail(faultOf(error, this.#controller !== undefined))
    if (this.#state !== 'relaying') return
    this.#finish({ kind: 'cut_off', status: this.#head.status })
    this.#request.socket.destroy()
  }

  #judge(): void {
    const { status, headers } = this.#head
    let verdict: Verdict
    try {
      verdict = this.#options.onResponseHead?.(this.#head) ?? 'pass'
    } catch (error) {
      this.#fail(error)
      return
    }
    if (verdict === 'pass_without_session') {
      const { 'mcp-session-id': _, ...kept } = headers
      this.#head = { status, headers: kept }
    }
    if (verdict === 'stop') this.#stop()
    else if (status !== 204 && isMcpBody(headers)) this.#begin()
    else this.#withhold()
  }

  #begin(): void {
    const { status, headers } = this.#head
    this.#response.writeHead(status, responseHeaders(headers))
    // A stream may stay silent for minutes; the client must learn that it is open.
    if (isEventStream(headers)) this.#response.flushHeaders()
    this.#state = 'relaying'
  }

  #stop(): void {
    this.#finish({ kind: 'stopped', ...this.#head })
    this.#drain()
  }

  /** The body is not MCP, or there is none. Empty is fine, an error's is replaced, a success's is refused (sec-P10). */
  #withhold(): void {
    const { status, headers } = this.#head
    const length = headers['content-length']
    if (status === 202 || status === 204 || length === '0') this.#answer('')
    else if (status >= 400) this.#answer(this.#errorBody(`the MCP server answered ${status}`))
    else if (length === undefined) this.#awaitEmptyEnd()
    else this.#refuse('bad_response')
  }

  /** A chunked body shows only at its end that it was empty. */
  #awaitEmptyEnd(): void {
    this.#limit(() => this.#refuse('timeout'))
  }

  #limit(onLate: () => void): void {
    const { responseMs } = this.#options.timeouts
    if (responseMs > 0) this.#timer = setTimeout(onLate, Math.min(responseMs, LONGEST_TIMER_MS))
  }

  #answer(body: string): void {
    const { status, headers } = this.#head
    const { 'content-type': _type, 'content-length': _length, ...kept } = responseHeaders(headers)
    const type = body === '' ? {} : { 'content-type': 'application/json' }
    // RFC 9110 §8.6: a 204 must not name a length.
    const length = status === 204 ? {} : { 'content-length': Buffer.byteLength(body) }
    // What we write in an upstream's place is our word, and a 500 of ours would be a fault of this gateway.
    this.#response.writeHead(status === 500 ? 502 : status, { ...kept, ...type, ...length })
    this.#response.end(body)
    this.#finish({ kind: 'relayed', status })
    this.#drain()
  }

  #errorBody(message: string): string {
    const { body } = this.#options
    return jsonRpcError(body === undefined ? null : requestId(body), JSON_RPC_CODE.internal_error, message)
  }

  #waitForReader(): void {
    this.#controller?.pause()
    // 'drain' alone may never come: a dead reader would hold the upstream's stream and its buffers for ever.
    this.#timer = setTimeout(() => this.#request.socket.destroy(), this.#options.timeouts.stallMs ?? STALL_MS)
    this.#response.once('drain', this.#onDrain)
  }

  readonly #onDrain = (): void => {
    clearTimeout(this.#timer)
    if (this.#state === 'relaying') this.#controller?.resume()
  }

  /** MCP 2026-07-28: a closed response stream is a cancelled request, so the upstream must hear of it at once (spec-P4). */
  readonly #onClientGone = (): void => {
    if (this.#state === 'over') return
    this.#finish({ kind: 'client_gone', status: this.#head.status })
    this.#cancel()
  }

  #refuse(fault: 'redirected' | 'bad_response' | 'timeout'): void {
    this.#fail(upstreamFault(fault, { status: this.#head.status }))
  }

  #fail(error: unknown): void {
    this.#over()
    this.#settle.reject(error)
    this.#cancel()
  }

  #finish(outcome: ForwardOutcome): void {
    this.#over()
    this.#settle.resolve(outcome)
  }

  #over(): void {
    this.#state = 'over'
    clearTimeout(this.#timer)
    this.#request.socket.off('close', this.#onClientGone)
    this.#response.off('drain', this.#onDrain)
  }

  #drain(): void {
    this.#timer = setTimeout(() => this.#cancel(), DRAIN_MS)
  }

  #discard(chunk: Buffer): void {
    this.#drainedBytes += chunk.length
    if (this.#drainedBytes > DRAIN_BYTES) this.#cancel()
  }

  #cancel(): void {
    clearTimeout(this.#timer)
    this.#controller?.abort(CANCELLED)
  }
}
