// Sends its parent the names of all tests, by importing every test file without running any: what is not registered is
// not in the list. Started by registered-tests.ts with LIST_TESTS set.
import { readdir } from 'node:fs/promises'
import { sep } from 'node:path'
import { added } from '../support/suite.ts'

const folder = new URL('../', import.meta.url)
const files = (await readdir(folder, { recursive: true }))
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => name.split(sep).join('/'))
  .sort()

const found = []
for (const file of files) {
  await import(new URL(file, folder).href)
  found.push(...added.splice(0).map((test) => ({ ...test, file })))
}
// Whatever an imported file keeps open must not keep this process.
process.send?.(found, () => process.exit(0))
