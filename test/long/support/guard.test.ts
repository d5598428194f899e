// The guard around uvu, tried on files that are broken in every way uvu alone would pass over.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { type RunInput, runTests } from '../../support/runner.ts'
import { suite } from '../../support/suite.ts'
import { parseSummary } from '../../support/test-process.ts'

const ours = `import { suite } from ${JSON.stringify(new URL('../../support/suite.ts', import.meta.url).href)}\n`
const uvu = `import { suite } from ${JSON.stringify(import.meta.resolve('uvu'))}\n`
const body = "const test = suite('fixture')\n"
const ONLY = 'only' // spelled apart, or this file would itself be found to contain it

const run = async (files: Record<string, string>, input: Partial<RunInput> = {}) => {
  const folder = await mkdtemp(join(tmpdir(), 'guard-'))
  let output = ''
  try {
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    await mkdir(join(folder, 'deeper'))
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, `${name}.test.ts`), text)
    const write = (text: string) => {
      output += text
    }
    const result = await runTests({ folder, pattern: '', leastTests: 0, write, ...input })
    return { ...result, output }
  } finally {
    await rm(folder, { recursive: true })
  }
}

const test = suite('long/support/guard')

test('passing tests pass, and are counted over files and suites', async () => {
  const good = `${ours}${body}test('a', () => {})\ntest('b', async () => {})\ntest.run()\n`
  const twice = `${good}const more = suite('more')\nmore('c', () => {})\nmore.run()\n`
  const { ok, summary } = await run({ good, twice }, { leastTests: 5 })
  assert.is(summary, '5 passed, 0 failed')
  assert.is(ok, true)
})

const broken: Record<string, [text: string, failed: number, says: RegExp]> = {
  'a failing test': [
    `${ours}${body}test('a', () => {})\ntest('b', () => { throw new Error('b broke') })`,
    1,
    /b broke/,
  ],
  'a thrown value that is no Error': [
    `${ours}${body}test('a', () => { throw undefined })`,
    1,
    /thrown: undefined/,
  ],
  'a throwing before hook': [
    `${ours}${body}test.before(() => { throw new Error('no server') })\ntest('a', () => {})\ntest('b', () => {})`,
    2,
    /before hook failed: no server/,
  ],
  'a throwing before hook of uvu itself': [
    `${uvu}${body}test.before(() => { throw new Error('no server') })\ntest('a', () => {})\ntest('b', () => {})`,
    2,
    /0 \/ 2/,
  ],
  'a throwing after.each hook': [
    `${ours}${body}test.after.each(() => { throw new Error('unclean') })\ntest('a', () => { throw new Error('mine') })\ntest('b', () => {})`,
    2,
    /mine.*and then: unclean/s,
  ],
  'a throwing after hook': [
    `${ours}${body}test.after(() => { throw new Error('unclean') })\ntest('a', () => {})\ntest('b', () => {})`,
    1,
    /unclean/,
  ],
  'a throwing cleanup': [
    `${ours}${body}test('a', ({ after }) => after(() => { throw new Error('unclean') }))`,
    1,
    /unclean/,
  ],
  'a hanging test, by name': [
    `${ours}${body}test('waits for ever', () => new Promise(() => {}), { timeoutMs: 50 })`,
    1,
    /"waits for ever".*timed out after 50 ms/s,
  ],
  'a suite without tests': [`${ours}${body}test.run()\n`, 1, /has no tests/],
  'an early exit with code 0': [`${ours}${body}test('a', () => process.exit(0))`, 1, /printed no summary/],
  'a rejection nobody handles': [
    `${ours}${body}test('a', async () => { Promise.reject(new Error('lost')); await new Promise(setImmediate) })`,
    1,
    /lost/,
  ],
  'an exit code set aside': [
    `${ours}${body}test('a', () => { process.on('exit', () => { process.exitCode = 3 }) })`,
    1,
    /exited with 3/,
  ],
  'a forgotten .run()': [`${ours}${body}test('a', () => {})\n`, 1, /never calls .run\(\)/],
  'one of two suites that is not run': [
    `${ours}${body}suite('other')('a', () => {})\ntest('b', () => {})`,
    1,
    /Suites without .run\(\): other/,
  ],
  'a test marked as the only one': [
    `${uvu}${body}test('a', () => {})\ntest.${ONLY}('b', () => {})`,
    1,
    /its other tests do not run/,
  ],
  'a skip where skips are forbidden': [
    `${ours}process.env.FORBID_SKIPS = '1'\n${body}test.skipUnless(false, 'no redis')('a', () => {})`,
    1,
    /skipping is forbidden: no redis/,
  ],
  'a file that does not load': [`import './missing.ts'\n${ours}${body}test('a', () => {})`, 1, /missing/],
}

// One run over all of them, two processes at a time.
const reports = new Map<string, string>()
test.before(async () => {
  const texts = Object.entries(broken).map(([name, [text]]) => [
    name,
    text.endsWith('\n') ? text : `${text}\ntest.run()\n`,
  ])
  const write = (report: string) => {
    reports.set(/^✘ (.*?) {2}/.exec(report)?.[1] ?? '', report)
  }
  const { ok } = await run(Object.fromEntries(texts), { write })
  assert.is(ok, false)
})
for (const [name, [, failed, says]] of Object.entries(broken)) {
  test(`${name} fails the run`, () => {
    const report = reports.get(name) ?? ''
    assert.match(report, says)
    assert.ok(report.split('\n')[0]?.includes(`, ${failed} failed`), report)
  })
}

test('a pattern that matches no file fails the run', async () => {
  const text = `${ours}${body}test('a', () => {})\ntest.run()\n`
  const { ok, summary, output } = await run({ good: text }, { pattern: 'bad', leastTests: 1 })
  assert.is(ok, false)
  assert.is(summary, '0 passed, 1 failed')
  assert.match(output, /0 tests in 0 files/)
})

test('fewer tests than the floor fail the run', async () => {
  const text = `${ours}${body}test('a', () => {})\ntest.run()\n`
  const { ok, output } = await run({ good: text }, { leastTests: 2 })
  assert.is(ok, false)
  assert.match(output, /1 tests in 1 files, 2 were expected/)
})

test('a file that never ends is killed and named', async () => {
  const text = `${ours}setInterval(() => {}, 1000)\nawait new Promise(() => {})\n${body}test.run()\n`
  const { ok, output } = await run({ endless: text }, { fileLimitMs: 1500 })
  assert.is(ok, false)
  assert.match(output, /✘ endless.*killed after 1500 ms/s)
})

test('a server left open is reported, though every test passed', async () => {
  const text = `${ours}${body}test('a', () => { setInterval(() => {}, 1000) })\ntest.run()\n`
  const { ok, output } = await run({ open: text }, { exitLimitMs: 200 })
  assert.is(ok, false)
  assert.match(output, /something was left open/)
})

test('the whole run has a limit', async () => {
  const text = `${ours}${body}test('a', () => new Promise(() => {}))\ntest.run()\n`
  const { ok, output } = await run({ one: text, two: text, three: text }, { runLimitMs: 1000 })
  assert.is(ok, false)
  assert.match(output, /stopped with 1 files not run/)
})

test('a skip is counted and explained, and cleanups run last first', async () => {
  const text = `delete process.env.FORBID_SKIPS
test.skipUnless(false, 'no redis')('a', () => {})
test('b', ({ after }) => { after(() => console.log('first')); after(() => console.log('second')); throw new Error() })`
  const { summary, output } = await run({ skips: `${ours}${body}${text}\ntest.run()\n` })
  assert.is(summary, '0 passed, 1 failed, 1 skipped')
  assert.match(output, /skipped: fixture: a \(no redis\)/)
  assert.match(output, /second\nfirst/)
})

test('where skips are forbidden, those whose reason was named in advance are still skips', async () => {
  const text = `process.env.FORBID_SKIPS = '1'
process.env.ALLOW_SKIPS = 'no python; no redis'
test.skipUnless(false, 'no redis: start one')('a', () => {})
test.skipUnless(false, 'no chromium')('b', () => {})
test.skipUnless(false, '')('c', () => {})`
  const { summary, output } = await run({ skips: `${ours}${body}${text}\ntest.run()\n` })
  assert.is(summary, '0 passed, 2 failed, 1 skipped')
  assert.match(output, /skipped: fixture: a \(no redis: start one\)/)
  assert.match(output, /skipping is forbidden: no chromium/)
})

const one = (name: string, text = '') =>
  `${ours}const test = suite('${name}')\n${text || "test('a', () => {})"}\ntest.run()\n`

test('files that share a process are counted one by one', async () => {
  const twice = one('b', "test('a', () => {})\ntest('b', () => {})")
  const { ok, output, summary } = await run({ a: one('a'), b: twice, c: one('c') }, { filesPerProcess: 3 })
  assert.equal([ok, summary], [true, '4 passed, 0 failed'])
  assert.equal(output.match(/^. \w {2}\d passed/gm), ['• a  1 passed', '• b  2 passed', '• c  1 passed'])
})

test('files of one name in different folders are told apart in a shared process', async () => {
  const { ok, output } = await run(
    { 'deeper/a': one('a'), a: one('a', "test('a', () => {})\ntest('b', () => {})") },
    { filesPerProcess: 2 },
  )
  assert.is(ok, true)
  assert.equal(output.match(/^. \S+ {2}\d passed/gm), ['• a  2 passed', '• deeper/a  1 passed'])
})

for (const name of [
  'a failing test',
  'an early exit with code 0',
  'an exit code set aside',
  'a forgotten .run()',
  'one of two suites that is not run',
  'a test marked as the only one',
  'a file that does not load',
]) {
  test(`${name} fails the run in a shared process too, and the file is named`, async () => {
    const [text, failed, says] = broken[name] ?? ['', Number.NaN, /^$/]
    const files = { a: one('a'), b: text.endsWith('\n') ? text : `${text}\ntest.run()\n`, c: one('c') }
    const { ok, output } = await run(files, { filesPerProcess: 3 })
    assert.is(ok, false)
    assert.match(output, says)
    const heads = output.match(/^[•✘] \w {2}.*(passed|failed)/gm) ?? []
    assert.ok(heads[1]?.includes(`, ${failed} failed`), output)
    assert.equal([heads[0], heads[2]], ['• a  1 passed', '• c  1 passed'])
  })
}

test('what fails only beside other files fails the run, and says so', async () => {
  const files = {
    a: `globalThis.left = true\n${one('a')}`,
    b: one('b', "test('a', () => { if (globalThis.left) throw new Error('left behind') })"),
  }
  const { ok, output, summary } = await run(files, { filesPerProcess: 2 })
  assert.equal([ok, summary], [false, '2 passed, 1 failed'])
  assert.match(output, /failed in one process with a\.test\.ts, b\.test\.ts \(exit 1\), and not alone/)
  assert.match(output, /left behind/)
  assert.is((await run(files)).ok, true)
})

test('a skip in a shared process is counted and explained', async () => {
  const skips = one('b', "test('a', () => {})\ntest.skipUnless(false, 'no redis')('b', () => {})")
  const files = { a: one('a'), b: `delete process.env.FORBID_SKIPS\n${skips}` }
  const { ok, output, summary } = await run(files, { filesPerProcess: 2 })
  assert.equal([ok, summary], [true, '2 passed, 0 failed, 1 skipped'])
  assert.match(output, /skipped: b: b \(no redis\)/)
})

test('a summary is read only when it is whole', () => {
  assert.is(parseSummary('\n  Total:     3\n  Passed:    3\n'), undefined)
  const whole = '\n  Total:     3\n  Passed:    2\n  Skipped:   1\n  Duration:  1ms\n'
  assert.equal(parseSummary(whole), { total: 3, passed: 2, skipped: 1 })
})

test.run()
