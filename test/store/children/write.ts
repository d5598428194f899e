// Writes records and prints each one's number once its write is acknowledged. Arguments: folder, how many, at once.
import { writeSync } from 'node:fs'
import { openEmbeddedStore } from '../../../src/store/embedded.ts'

const [folder = '', count = '0', atOnce = '1'] = process.argv.slice(2)
const store = await openEmbeddedStore(folder, Date.now)
let next = 0

async function writeOn(): Promise<void> {
  while (next < Number(count)) {
    const at = next++
    await store.put(`record/${at}`, `canary-${at}.`, { indexes: ['records'] })
    writeSync(1, `acknowledged ${at}\n`)
  }
}

await Promise.all(Array.from({ length: Number(atOnce) }, writeOn))
await store.close()
