// A name server for one test file: imported first, it stands in for `dns.lookup` in this process, and leaves every name
// it was not told of to the real one.
import dns, { type LookupAddress } from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import { isIPv6 } from 'node:net'

type Callback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void

/** What a name resolves to: one list of addresses after the other, and the last one ever after. */
const told = new Map<string, string[][]>()
const asked: string[] = []
const real = dns.lookup

export const names = {
  tell: (name: string, ...answers: string[][]) => told.set(name, answers),
  asked: (name: string) => asked.filter((one) => one === name).length,
}

function lookup(hostname: string, options: { all?: boolean }, callback: Callback): void {
  const answers = told.get(hostname)
  if (answers === undefined) {
    Reflect.apply(real, dns, [hostname, options, callback])
    return
  }
  asked.push(hostname)
  const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? []
  const addresses = answer.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }))
  setImmediate(() => {
    const [first] = addresses
    if (first === undefined) callback(Object.assign(new Error(`no ${hostname}`), { code: 'ENOTFOUND' }), [])
    else if (options.all === true) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}

dns.lookup = lookup as typeof dns.lookup
syncBuiltinESMExports()
