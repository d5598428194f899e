// Reads what strace saw of a gateway: requests coming in, answers going out, and what the store wrote and flushed between.

export type Call =
  /** A request was read: `POST /token`. */
  | { kind: 'request'; socket: string; target: string }
  /** An answer begins. */
  | { kind: 'answer'; socket: string; status: number }
  /** Bytes of the store went to the kernel, or were flushed to the disk. `durable`: the descriptor flushes by itself. */
  | { kind: 'write'; descriptor: string; durable: boolean }
  | { kind: 'flush'; descriptor: string }

/** What runs a command under strace, so that the command keeps the process id and receives its signals. */
export const straceInto = (file: string): string[] => [
  ...['strace', '-D', '-f', '-y', '-s', '60', '-o', file],
  ...['-e', 'trace=openat,read,write,writev,pwrite64,pwritev,fdatasync,fsync,msync'],
]

const STORE = /data\.mdb$/
/** `17 fdatasync(19</path>) = 0`, or its second half after other threads got a word in. */
const CALL = /^(\d+) +(?:<\.\.\. )?(\w+)(\(| resumed>)(.*)$/
const DESCRIPTOR = /^(\d+)<(.*?)>/
const REQUEST = /"((?:GET|POST) [^ "?]+)/
const ANSWER = /"HTTP\/1\.1 (\d{3})/

/** In the order of the trace. A flush counts when it has returned, an answer when it begins. */
export function readCalls(trace: string): Call[] {
  const flushesByItself = new Set<string>()
  const begun = new Map<string, string>()
  const calls: Call[] = []
  for (const text of trace.split('\n')) {
    const [, thread = '', name = '', opening, rest = ''] = CALL.exec(text) ?? []
    const isUnfinished = rest.endsWith('<unfinished ...>')
    if (isUnfinished) begun.set(thread, rest)
    const whole = opening === '(' ? rest : (begun.get(thread) ?? '') + rest
    if (name === 'openat') noteFlags(whole, flushesByItself)
    const call = callOf(name, whole, { begins: opening === '(', ends: !isUnfinished, flushesByItself })
    if (call !== undefined) calls.push(call)
  }
  return calls
}

interface Moment {
  begins: boolean
  ends: boolean
  flushesByItself: ReadonlySet<string>
}

function callOf(name: string, text: string, { begins, ends, flushesByItself }: Moment): Call | undefined {
  const [, descriptor = '', path = ''] = DESCRIPTOR.exec(text) ?? []
  const isWrite = /^p?writev?(64)?$/.test(name)
  if (path.startsWith('socket:')) {
    const [, target] = REQUEST.exec(text) ?? []
    if (name === 'read' && ends && target !== undefined) return { kind: 'request', socket: path, target }
    const [, status] = ANSWER.exec(text) ?? []
    if (isWrite && begins && status !== undefined)
      return { kind: 'answer', socket: path, status: Number(status) }
  }
  if (!STORE.test(path)) return undefined
  if (isWrite && begins) return { kind: 'write', descriptor, durable: flushesByItself.has(descriptor) }
  if (/^(fdatasync|fsync|msync)$/.test(name) && ends && text.endsWith('= 0'))
    return { kind: 'flush', descriptor }
  return undefined
}

function noteFlags(text: string, flushesByItself: Set<string>): void {
  const [, path = '', flags = '', descriptor = ''] =
    /"([^"]+)", ([A-Z_|]+).*= (\d+)(?:<.*>)?$/.exec(text) ?? []
  if (descriptor === '') return
  if (STORE.test(path) && flags.includes('O_DSYNC')) flushesByItself.add(descriptor)
  else flushesByItself.delete(descriptor)
}

/** What the store did between the arrival of the nth request to `target` (`POST /token`) and its answer. */
export function during(calls: readonly Call[], target: string, nth = 1) {
  const requests = calls.filter((call) => call.kind === 'request').filter((call) => call.target === target)
  const request = requests[nth - 1]
  if (request === undefined) throw new Error(`no ${target} in the trace`)
  const from = calls.indexOf(request)
  const isAnswer = (call: Call) => call.kind === 'answer' && call.socket === request.socket
  const to = calls.findIndex((call, at) => at > from && isAnswer(call))
  const between = calls.slice(from, to).filter((call) => call.kind === 'write' || call.kind === 'flush')
  const answer = calls[to]
  return { status: answer?.kind === 'answer' ? answer.status : undefined, between }
}

/** Whether a power cut after these calls would lose any of what they wrote. */
export function isFlushed(calls: readonly Call[]): boolean {
  const dirty = new Set<string>()
  for (const call of calls) {
    if (call.kind === 'write' && !call.durable) dirty.add(call.descriptor)
    if (call.kind === 'flush') dirty.delete(call.descriptor)
  }
  return dirty.size === 0
}
