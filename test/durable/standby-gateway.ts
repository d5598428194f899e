// A gateway that has loaded its code and waits for a line on stdin before it opens anything, so that a test which ends
// it thirty times does not wait thirty times for the code. Arguments: configuration file, state folder. Says READY.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { startApp } from '../../src/app.ts'
import { silentLog } from '../../src/ops/log.ts'

const [file = '', stateFolder = ''] = process.argv.slice(2)
await once(process.stdin, 'data')
await startApp({
  source: { name: 'gateways.yaml', folder: dirname(file), text: await readFile(file, 'utf8') },
  env: process.env,
  stateFolder,
  log: { ...silentLog, error: (event, fields) => console.error(event, fields) },
})
console.log('READY')
