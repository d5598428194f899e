import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below what the systems hand out for port 0 and for outgoing connections, so that no other test is given it. */
const FIRST = 10_000
const LAST = 32_000

/** A port that nobody listens on, and that stays free: for a server that comes back where its clients look for it. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if (await isFree(port)) return port
  }
  throw new Error(`no free port between ${FIRST} and ${LAST}`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
  } catch {
    return false
  }
  await once(server.close(), 'close')
  return true
}

/** The same configuration on a port that stays. */
export const onPort = (port: number, yaml: string) => yaml.replace('port: 0', `port: ${port}`)
