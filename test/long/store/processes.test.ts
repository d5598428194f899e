// The embedded store among several processes, and what a killed one leaves behind.
import { execFile, spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { openEmbeddedStore } from '../../../src/store/embedded.ts'
import { runChild, scriptArguments } from '../../store/child.ts'
import { temporaryFolder } from '../../store/temporary.ts'
import { suite } from '../../support/suite.ts'

const test = suite('long/store/processes')
const canTrace =
  spawnSync('strace', ['-f', '-o', '/dev/null', '-e', 'inject=fsync:delay_exit=1', 'true']).status === 0

test('two processes that each add 200 to one counter by cas make exactly 400', async (context) => {
  const folder = await temporaryFolder(context)
  const children = [1, 2].map(() => runChild(context, 'increment.ts', folder, '200'))
  for (const child of children) assert.is((await child.lines.next()).value, 'ready')
  for (const child of children) child.write('go\n')
  assert.equal(await Promise.all(children.map((child) => child.ended)), [0, 0])

  const store = await openEmbeddedStore(folder, Date.now)
  context.after(() => store.close())
  assert.equal(await store.get('counter/1'), { value: 400, version: 400 })
  const listed = async (index: string) => {
    for await (const key of store.list(index)) return key
  }
  assert.is(await listed('reached/399'), undefined)
  assert.is(await listed('reached/400'), 'counter/1')
})

test('what another process wrote is read within the same turn of the event loop', async (context) => {
  const folder = await temporaryFolder(context)
  const store = await openEmbeddedStore(folder, Date.now)
  context.after(() => store.close())
  const isListed = async () => !(await store.list('records')[Symbol.asyncIterator]().next()).done
  const otherWrites = (count: string) =>
    spawnSync(process.execPath, scriptArguments('write.ts', [folder, count, '1']))

  assert.is(await store.get('record/0'), undefined)
  otherWrites('1')
  assert.is((await store.get('record/0'))?.value, 'canary-0.')

  await store.put('record/0', undefined)
  assert.not(await isListed())
  otherWrites('1')
  assert.ok(await isListed())
})

test('what a process acknowledged before it was killed is there, and the store goes on', async (context) => {
  const folder = await temporaryFolder(context)
  const child = runChild(context, 'write.ts', folder, '1000000', '16')
  const acknowledged: number[] = []
  for await (const line of child.lines) {
    acknowledged.push(Number(line.split(' ')[1]))
    if (acknowledged.length === 400) child.kill()
  }
  assert.is(await child.ended, null, 'it was killed in the middle')
  assert.ok(acknowledged.length >= 400)

  const store = await openEmbeddedStore(folder, Date.now)
  context.after(() => store.close())
  for (const at of acknowledged) assert.is((await store.get(`record/${at}`))?.value, `canary-${at}.`)
  const listed = new Set<string>()
  for await (const key of store.list('records')) listed.add(key)
  assert.ok(acknowledged.every((at) => listed.has(`record/${at}`)))
  assert.ok(await store.cas('record/0', 1, 'after'), 'the lock of the dead process was taken over')
})

test.skipUnless(canTrace, 'strace cannot run here')(
  'a write is acknowledged only after its pages and then its meta page are flushed to disk',
  async (context) => {
    const folder = await temporaryFolder(context)
    const trace = join(folder, 'trace')
    const calls = 'trace=openat,write,writev,pwrite64,pwritev,fdatasync,fsync,msync'
    // A disk so slow that whoever does not wait for it is seen not to.
    const slow = 'inject=fdatasync,fsync,msync:delay_exit=10000'
    await promisify(execFile)('strace', [
      ...['-f', '-y', '-s', '20000', '-e', calls, '-e', slow, '-o', trace],
      ...[process.execPath, ...scriptArguments('write.ts', [join(folder, 'store'), '20', '1'])],
    ])
    const lines = (await readFile(trace, 'utf8')).split('\n')
    const first = (from: number, pattern: RegExp) => {
      const at = lines.findIndex((line, index) => index > from && pattern.test(line))
      return at === -1 ? Number.POSITIVE_INFINITY : at
    }
    const opened = lines.find((line) => /data\.mdb".*O_DSYNC/.test(line))
    const syncedFile = /= (\d+)</.exec(opened ?? '')?.[1]
    assert.ok(syncedFile, 'meta pages are written through a file that syncs each write')
    for (let at = 0; at < 20; at++) {
      const written = first(-1, new RegExp(`w.*data\\.mdb.*canary-${at}\\.`))
      const flushed = first(written, /(fdatasync|fsync|msync)(\(| resumed).*= 0( \(DELAYED\))?$/)
      const committed = first(flushed, new RegExp(`pwrite64\\(${syncedFile}<`))
      const acknowledged = first(-1, new RegExp(`write\\(1.*"acknowledged ${at}\\\\n"`))
      const order = [written, flushed, committed, acknowledged]
      assert.ok(order.every(Number.isFinite), `record ${at} was traced: ${order}`)
      assert.equal(
        order,
        order.toSorted((a, b) => a - b),
        `record ${at}`,
      )
    }
  },
)

test.run()
