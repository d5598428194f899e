// The file watcher by itself: every way in which editors, scripts and orchestrators replace a file is told once, with
// the whole text, in time; everything that is no change is not told.
import { execFileSync } from 'node:child_process'
import {
  appendFile,
  mkdir,
  mkdtemp,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import type { LogDetail } from '../src/errors.ts'
import { silentLog } from '../src/ops/log.ts'
import { followFile } from '../src/reload/follow.ts'
import { suite, type TestContext } from './support/suite.ts'

const test = suite('watch')

/** What an edit may take to be told. */
const WITHIN_MS = 2_000
/** Longer than the watcher settles, and longer than it polls: what has not come until then does not come. */
const SETTLED_MS = 400
const POLLED_MS = 1_300

interface Watched {
  folder: string
  file: string
  /** Everything told so far. */
  readonly texts: readonly string[]
  readonly warnings: readonly (readonly [event: string, fields: LogDetail | undefined])[]
  /** Makes a change and resolves when its text was told. */
  tells(text: string, change: () => Promise<unknown>): Promise<void>
  close(): Promise<void>
}

type OnText = (text: string) => void | Promise<void>

async function watching(
  { after }: TestContext,
  prepare?: (folder: string, file: string) => Promise<void>,
  onText?: OnText,
): Promise<Watched> {
  const folder = await mkdtemp(join(tmpdir(), 'watch-'))
  after(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'gateways.yaml')
  await (prepare ?? (() => writeFile(file, 'first\n')))(folder, file)
  const texts: string[] = []
  const warnings: [string, LogDetail | undefined][] = []
  const routes = new Map()
  let told = () => {}
  let running = 'first\n'
  let generation = 1
  const watcher = followFile({
    file,
    watch: true,
    app: {
      current: () => ({ generation, routes }),
      running: () => ({ text: running, secretFiles: [] }),
      isValid: () => true,
      reload: async (text) => {
        texts.push(text.trimEnd())
        told()
        await onText?.(text.trimEnd())
        running = text
        generation += 1
        return { generation, routes }
      },
    },
    log: {
      ...silentLog,
      warn: (event, fields) => warnings.push([event, fields]),
      error: (event, fields) => warnings.push([event, fields]),
    },
  })
  after(() => watcher.close())
  const tells: Watched['tells'] = async (text, change) => {
    const arrived = new Promise<void>((resolve) => {
      told = () => (texts.at(-1) === text ? resolve() : undefined)
    })
    await change()
    const late = new AbortController()
    const timeout = delay(WITHIN_MS, 'late', { signal: late.signal }).catch(() => 'stopped')
    assert.is(
      await Promise.race([arrived, timeout]),
      undefined,
      `${text} was not told within ${WITHIN_MS} ms, but ${texts}`,
    )
    late.abort()
  }
  return { folder, file, texts, warnings, tells, close: () => watcher.close() }
}

test('sec-H2: a file that is written to', async (context) => {
  const { file, tells, texts } = await watching(context)
  await tells('second', () => writeFile(file, 'second\n'))
  await tells('third', () => writeFile(file, 'third\n'))
  assert.equal(texts, ['second', 'third'])
})

test('sec-H2: truncated first and written a moment later: the emptiness in between is not told', async (context) => {
  const { file, tells, texts } = await watching(context)
  await tells('second', async () => {
    await truncate(file)
    await delay(50)
    await writeFile(file, 'sec')
    await delay(50)
    await writeFile(file, 'second\n')
  })
  assert.equal(texts, ['second'])
})

test('sec-H2: renamed over, again and again, as editors save', async (context) => {
  const { folder, file, tells, texts } = await watching(context)
  for (const text of ['second', 'third']) {
    await tells(text, async () => {
      await writeFile(join(folder, '.save'), `${text}\n`)
      await rename(join(folder, '.save'), file)
    })
  }
  assert.equal(texts, ['second', 'third'])
})

test('sec-H2: moved away as a backup and written anew, as vim saves', async (context) => {
  const { file, tells } = await watching(context)
  for (const text of ['second', 'third']) {
    await tells(text, async () => {
      await rename(file, `${file}~`)
      await writeFile(file, `${text}\n`)
    })
  }
})

test('sec-H2: checked out by git, back and forth', async (context) => {
  const { folder, file, tells } = await watching(context)
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
      cwd: folder,
      stdio: 'pipe',
    })
  git('init', '-q', '-b', 'main')
  git('add', '.')
  git('commit', '-qm', 'first')
  git('checkout', '-qb', 'edit')
  await tells('second', () => writeFile(file, 'second\n'))
  git('commit', '-qam', 'second')
  await tells('first', async () => git('checkout', '-q', 'main'))
  await tells('second', async () => git('checkout', '-q', 'edit'))
})

test('deleted, and there again later with another text', async (context) => {
  const { file, tells, texts, warnings } = await watching(context)
  await rm(file)
  await delay(POLLED_MS)
  assert.equal(texts, [], 'what is gone changes nothing')
  assert.equal(warnings.length, 1, 'and is told to the log once')
  assert.is(warnings[0]?.[1]?.file, file)
  await tells('second', () => writeFile(file, 'second\n'))
  await tells('third', () => writeFile(file, 'third\n'))
})

test('sec-H2: a symlink that is pointed at another file', async (context) => {
  const link = async (folder: string, file: string) => {
    await writeFile(join(folder, 'v1'), 'first\n')
    await symlink('v1', file)
  }
  const { folder, file, tells } = await watching(context, link)
  await writeFile(join(folder, 'v2'), 'second\n')
  await tells('second', async () => {
    await symlink('v2', join(folder, '.link'))
    await rename(join(folder, '.link'), file)
  })
  await tells('third', () => writeFile(join(folder, 'v2'), 'third\n'))
})

test('sec-H2: a mounted folder of an orchestrator: the file links through a folder link that is swapped', async (context) => {
  const mount = async (folder: string, file: string) => {
    await mkdir(join(folder, '..v1'))
    await writeFile(join(folder, '..v1', 'gateways.yaml'), 'first\n')
    await symlink('..v1', join(folder, '..data'))
    await symlink(join('..data', 'gateways.yaml'), file)
  }
  const { folder, tells } = await watching(context, mount)
  await mkdir(join(folder, '..v2'))
  await writeFile(join(folder, '..v2', 'gateways.yaml'), 'second\n')
  await tells('second', async () => {
    await symlink('..v2', join(folder, '..next'))
    await rename(join(folder, '..next'), join(folder, '..data'))
  })
})

test('saving the same text, touching the file and writing beside it are no changes', async (context) => {
  const { folder, file, tells, texts } = await watching(context)
  await writeFile(file, 'first\n')
  await utimes(file, new Date(), new Date())
  await writeFile(join(folder, 'other.yaml'), 'other')
  await delay(SETTLED_MS)
  assert.equal(texts, [])
  await tells('second', () => writeFile(file, 'second\n'))
  await writeFile(file, 'second\n')
  await delay(SETTLED_MS)
  assert.equal(texts, ['second'])
})

test('a change back to what ran before is a change', async (context) => {
  const { file, tells } = await watching(context)
  await tells('second', () => writeFile(file, 'second\n'))
  await tells('first', () => writeFile(file, 'first\n'))
})

test('another file in the folder that is written all the time does not hold the news up', async (context) => {
  const { folder, file, tells } = await watching(context)
  const chatter = setInterval(() => void appendFile(join(folder, 'gateway.log'), 'a line\n'), 30)
  context.after(() => clearInterval(chatter))
  await delay(300)
  await tells('second', () => writeFile(file, 'second\n'))
})

test('a copy that keeps size and time of the one before is a change all the same', async (context) => {
  const { file, tells } = await watching(context)
  const { mtime } = await stat(file)
  await tells('FIRST', async () => {
    await writeFile(file, 'FIRST\n')
    await utimes(file, mtime, mtime)
  })
})

test('one text is taken over before the next is told, and the last one wins', async (context) => {
  const events: string[] = []
  const slow: OnText = async (text) => {
    events.push(`begin ${text}`)
    await delay(400)
    events.push(`end ${text}`)
  }
  const { file, tells, close } = await watching(context, undefined, slow)
  await tells('second', () => writeFile(file, 'second\n'))
  await tells('third', () => writeFile(file, 'third\n'))
  await close()
  assert.equal(
    events,
    ['begin second', 'end second', 'begin third', 'end third'],
    'closing waited for the last',
  )
})

test('once closed, nothing is told any more, whatever was under way', async (context) => {
  const { file, texts, close } = await watching(context)
  await writeFile(file, 'second\n')
  const closing = close()
  await writeFile(file, 'third\n')
  await closing
  const told = texts.length
  await writeFile(file, 'fourth\n')
  await delay(SETTLED_MS)
  assert.is(texts.length, told)
})

test('a listener that throws is told of to the log, and the next change is told all the same', async (context) => {
  const failing: OnText = (text) => {
    if (text === 'second') throw new Error('no good')
  }
  const { file, tells, warnings } = await watching(context, undefined, failing)
  await tells('second', () => writeFile(file, 'second\n'))
  await tells('third', () => writeFile(file, 'third\n'))
  assert.is(warnings.length, 1)
})

test.run()
