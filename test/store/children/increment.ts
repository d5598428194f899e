// Says "ready", waits for a line, then adds one to a shared counter as often as told, each time by compare-and-swap.
import { once } from 'node:events'
import { openEmbeddedStore } from '../../../src/store/embedded.ts'
import { ABSENT } from '../../../src/store/store.ts'

const [folder = '', times = '0'] = process.argv.slice(2)
const store = await openEmbeddedStore(folder, Date.now)
console.log('ready')
await once(process.stdin, 'data')
for (let done = 0; done < Number(times); ) {
  const entry = await store.get<number>('counter/1')
  const next = (entry?.value ?? 0) + 1
  if (await store.cas('counter/1', entry?.version ?? ABSENT, next, { indexes: [`reached/${next}`] }))
    done += 1
}
await store.close()
process.stdin.destroy()
