// A hundred thousand sign-ins that nobody finishes leave nothing behind, and those who do finish theirs notice nothing.

import { Pool } from 'undici'
import * as assert from 'uvu/assert'
import { Client } from '../../security/client.ts'
import { suite } from '../../support/suite.ts'
import { connect, works } from './flood.ts'
import { startScene } from './scene.ts'

const test = suite('long/flood/abandoned')
const SIGN_INS = 100_000
const WARM_UP = 5_000
const CONNECTIONS = 16

test(
  'sec-C16: a hundred thousand sign-ins that nobody finishes leave no row and hardly any memory',
  async (context) => {
    const scene = await startScene(context)
    const client = await Client.register(scene.url)
    const tokens = await connect(scene, client)
    const pool = new Pool(scene.url, { connections: CONNECTIONS })
    context.after(() => pool.destroy())

    await ask(pool, client, WARM_UP)
    const before = await scene.held()
    const begun = performance.now()
    await ask(pool, client, SIGN_INS)
    const perSecond = (SIGN_INS * 1000) / (performance.now() - begun)
    const after = await scene.held()

    const grown = (key: keyof typeof before) => `${before[key].toFixed(1)} → ${after[key].toFixed(1)}`
    console.log(
      `${perSecond.toFixed(0)} a second, RSS ${grown('rssMiB')} MiB, heap ${grown('heapMiB')} MiB, rows ${grown('rows')}, data file ${grown('dataMiB')} MiB`,
    )
    assert.ok(after.rssMiB - before.rssMiB <= 32, 'memory has grown')
    assert.is(after.rows, before.rows)
    assert.is(after.dataMiB, before.dataMiB)
    await works(scene, tokens)
    await connect(scene, client)
  },
  { timeoutMs: 300_000 },
)

/** Each is a whole page with a form, to a browser of its own. */
async function ask(pool: Pool, client: Client, count: number): Promise<void> {
  let sent = 0
  const worker = async () => {
    while (sent < count) {
      sent += 1
      const { pathname, search } = client.trip().url
      const { statusCode, headers, body } = await pool.request({ method: 'GET', path: pathname + search })
      await body.dump()
      assert.is(statusCode, 200)
      assert.match(`${headers['set-cookie']}`, 'HttpOnly')
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
}

test.run()
