import { setImmediate } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { openEnvironment, prepareFolder } from '../../src/store/environment.ts'
import { StoreFailure } from '../../src/store/failure.ts'
import { recordTable } from '../../src/store/table.ts'
import { suite } from '../support/suite.ts'
import { temporaryFolder } from './temporary.ts'

const test = suite('store/table')

test('after a commit that failed every later write is refused with the reason of the first', async (context) => {
  const folder = await temporaryFolder(context)
  await prepareFolder(folder)
  const environment = await openEnvironment(folder)
  const table = recordTable(environment)
  context.after(() => table.close())
  assert.ok(await table.replace('grant/1', undefined, { value: 1 }))
  const write = (key: string) => table.replace(key, undefined, { value: 2 }).catch((error: Error) => error)
  const first = await write('key larger than LMDB takes'.repeat(100))
  // The library had begun a batch for it, which ends with this turn of the event loop.
  await setImmediate()
  assert.instance(first, StoreFailure)
  assert.match(String(first), 'needs a restart')
  assert.match(String((first as StoreFailure).detail.reason), 'Key size')
  assert.is(await write('grant/2'), first)
  assert.is(table.read('grant/2'), undefined)
  assert.equal(table.read('grant/1')?.stored, { value: 1 }, 'reads go on')
})

test.run()
