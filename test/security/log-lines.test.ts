// What strangers write into names, paths and parameters is text in the log, and never a line of its own.
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import * as assert from 'uvu/assert'
import { startApp } from '../../src/app.ts'
import { createLog, type LogOptions } from '../../src/ops/log.ts'
import { temporaryFolder } from '../store/temporary.ts'
import { decide, signIn } from '../support/person.ts'
import { suite } from '../support/suite.ts'
import { document } from '../support/yaml.ts'
import { Client, callMcp } from './client.ts'
import { newBrowser, PASSWORD_HASHES, TWO_USERS, VICTIM } from './world.ts'

const test = suite('security/log-lines')

/** Would be a line of its own in JSON, a coloured one on a terminal, and text read backwards. */
const FORGERY = 'x\r\n{"level":"error","msg":"forged"}\n\u001b[31mforged\u001b[2J\u009b31m\u2028\u202eforged'

for (const format of ['json', 'pretty'] as const satisfies LogOptions['format'][])
  test(`sec-O2: names, parameters and paths with line breaks add no line to the ${format} log, and no escape`, async (context) => {
    const folder = await temporaryFolder(context)
    const output = new PassThrough()
    const events: string[] = []
    const log = createLog({ level: 'debug', format }, output as unknown as NodeJS.WriteStream)
    const counted =
      (level: 'debug' | 'info' | 'warn' | 'error') =>
      (event: string, fields = {}) => {
        events.push(event)
        log[level](event, fields)
      }
    const app = await startApp({
      source: {
        name: 'gateways.yaml',
        folder,
        text: document('\n  a: { upstream: "http://127.0.0.1:1/mcp", auth: none }\n') + TWO_USERS,
      },
      env: PASSWORD_HASHES,
      stateFolder: join(folder, 'state'),
      log: { debug: counted('debug'), info: counted('info'), warn: counted('warn'), error: counted('error') },
    })
    context.after(() => app.close())

    const client = await Client.register(app.publicUrl, { client_name: FORGERY })
    const trip = client.trip({ state: FORGERY })
    const browser = newBrowser()
    await decide(browser, await browser.goto(trip.url), { username: FORGERY, password: FORGERY })
    await newBrowser().goto(client.trip({ resource: `https://other.test/${FORGERY}` }).url)
    await fetch(`${app.publicUrl}/upstream/callback/a?state=${encodeURIComponent(FORGERY)}`)
    await fetch(`${app.publicUrl}/${encodeURIComponent(FORGERY)}`)
    await callMcp(`${app.publicUrl}/a`, 'mga_forged', { jsonrpc: '2.0', id: FORGERY, method: FORGERY })
    await signIn(newBrowser(), client.trip({ state: FORGERY }).url, VICTIM)

    const text = String(output.read())
    const lines = text.replace(/\n$/, '').split('\n')
    assert.is(lines.length, events.length, 'an event is a line')
    assert.ok(events.includes('signed in'))
    assert.match(text, 'sign-in refused')
    assert.not.match(text.replaceAll('\n', ''), /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
    if (format === 'json')
      assert.equal(
        lines.map((line) => JSON.parse(line).msg),
        events,
      )
  })

test.run()
