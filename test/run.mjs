// `node test/run.mjs [PATTERN]`: the whole test suite, or the files whose path contains PATTERN.
import { fileURLToPath } from 'node:url'
import { tsImport } from 'tsx/esm/api'

// Raised as tests are added: a refactoring that silently loses tests must not stay green.
const LEAST_TESTS = 200

const { runTests } = await tsImport('./support/runner.ts', import.meta.url)
const pattern = process.argv[2] ?? ''
const { ok, summary } = await runTests({
  folder: fileURLToPath(new URL('.', import.meta.url)),
  pattern,
  leastTests: pattern === '' ? LEAST_TESTS : 1,
  write: (text) => process.stdout.write(text),
})
console.log(summary)
process.exit(ok ? 0 : 1)
