// The generated types are those of the schema.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import type { RawConfig } from '../../src/config/raw-types.ts'
import type { AuthConfig, Config, StoreConfig } from '../../src/config/types.ts'
import { suite } from '../support/suite.ts'

const test = suite('config/types')

test('raw-types.ts and types.ts are current', async () => {
  const generate = fileURLToPath(new URL('../../schema/generate.mjs', import.meta.url))
  const { stderr } = await promisify(execFile)(process.execPath, [generate, '--check'])
  assert.not.match(stderr, /stale/)
})

test('auth and store are unions told apart by their type', () => {
  // Compiles only while every branch has its constant.
  const nameOf = (auth: AuthConfig) => (auth.type === 'api_key' ? auth.value : auth.type)
  const pathOf = (store: StoreConfig) => (store.type === 'embedded' ? store.path : undefined)
  assert.is(nameOf({ type: 'api_key', in: 'header', name: 'X', value: 'v' }), 'v')
  assert.is(pathOf({ type: 'embedded', path: '/x' }), '/x')
})

test('units are in names, and only after the pipeline', () => {
  const written: Pick<NonNullable<RawConfig['tokens']>, 'access_ttl'> = { access_ttl: '1h' }
  const settled: Pick<Config['tokens'], 'access_ttl_ms'> = { access_ttl_ms: 3_600_000 }
  assert.equal(Object.keys({ ...written, ...settled }), ['access_ttl', 'access_ttl_ms'])
})

test.run()
