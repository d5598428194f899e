// `node test/run.mjs [--long] [PATTERN]`: the whole test suite, or the files whose path contains PATTERN. With --long,
// what takes minutes instead: the official conformance suite, real client packages, floods, a million generated cases.
import { fileURLToPath } from 'node:url'
import { tsImport } from 'tsx/esm/api'

// Raised as tests are added: a refactoring that silently loses tests must not stay green.
const LEAST_TESTS = { short: 2_400, long: 30 }
const MINUTE_MS = 60_000

const { runTests } = await tsImport('./support/runner.ts', import.meta.url)
const long = process.argv[2] === '--long'
const pattern = process.argv[long ? 3 : 2] ?? ''
const { ok, summary } = await runTests({
  folder: fileURLToPath(new URL('.', import.meta.url)),
  pattern,
  long,
  leastTests: pattern === '' ? LEAST_TESTS[long ? 'long' : 'short'] : 1,
  ...(long ? { fileLimitMs: 10 * MINUTE_MS, runLimitMs: 40 * MINUTE_MS } : { atOnce: 3, filesPerProcess: 4 }),
  write: (text) => process.stdout.write(text),
})
console.log(summary)
process.exit(ok ? 0 : 1)
