// A gateway in a process of its own that tells how much memory it holds. Arguments: configuration file, state folder.
// Started with --expose-gc, so that what is left over is not taken for what is kept.
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startApp } from '../../../src/app.ts'
import { silentLog } from '../../../src/ops/log.ts'
import { USER } from '../../support/gateway.ts'

const [file = '', stateFolder = ''] = process.argv.slice(2)

process.on('message', async () => {
  // What the first collection finalises, the next ones free; the allocator gives pages back a little later.
  for (let round = 0; round < 5; round += 1) {
    globalThis.gc?.()
    await delay(100)
  }
  process.send?.(process.memoryUsage())
})

const app = await startApp({
  source: { name: 'gateways.yaml', folder: dirname(file), text: await readFile(file, 'utf8') },
  env: { MCP_GATEWAY_PASSWORD: USER.password },
  stateFolder,
  log: { ...silentLog, error: (event, fields) => console.error(event, fields) },
})
process.send?.({ url: app.publicUrl })
