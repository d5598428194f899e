// Which hosts are this machine.
import * as assert from 'uvu/assert'
import { isLoopbackHost } from '../src/loopback.ts'
import { suite } from './support/suite.ts'

const test = suite('loopback')

test('loopback hosts are known by name and by address', () => {
  for (const host of ['localhost', 'mcp.localhost', '127.0.0.1', '127.8.9.10', '[::1]']) {
    assert.is(isLoopbackHost(host), true, host)
  }
  for (const host of [
    '',
    'localhost.evil.test',
    'notlocalhost',
    '127.0.0.1.evil.test',
    '128.0.0.1',
    '10.0.0.1',
    '[::2]',
    '[::]',
  ]) {
    assert.is(isLoopbackHost(host), false, host)
  }
})

test.run()
