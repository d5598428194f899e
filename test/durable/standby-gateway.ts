// A gateway that has loaded its code and waits for `begin` on stdin before it opens anything, so that a test which ends
// it thirty times does not wait thirty times for the code. `forward 1000` moves its clock by a second. Each line is
// acknowledged by one on stdout. Arguments: configuration file, state folder.
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { startApp } from '../../src/app.ts'
import { silentLog } from '../../src/ops/log.ts'

const [file = '', stateFolder = ''] = process.argv.slice(2)
let offsetMs = 0

const commands: Record<string, (argument: string) => unknown> = {
  begin: async () =>
    startApp({
      source: { name: 'gateways.yaml', folder: dirname(file), text: await readFile(file, 'utf8') },
      env: process.env,
      stateFolder,
      log: { ...silentLog, error: (event, fields) => console.error(event, fields) },
      now: () => Date.now() + offsetMs,
    }),
  forward: (ms) => {
    offsetMs += Number(ms)
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name = '', argument = ''] = line.split(' ')
  await commands[name]?.(argument)
  console.log(`done ${name}`)
}
