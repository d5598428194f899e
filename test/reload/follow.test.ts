// A file that others write to, and the gateway behind it: what is held, what counts at once, what cannot stop it.
import { mkdir, mkdtemp, open, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { silentLog } from '../../src/ops/log.ts'
import { type Follower, followFile, HOLD_MS } from '../../src/reload/follow.ts'
import { isMountOfDeleted } from '../../src/reload/settled-file.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { EDITS, isValid, load, SIX } from './six.ts'

const test = suite('reload/follow')

/** Issue: a save is applied within this. */
const WITHIN_MS = 2_000

interface Scene {
  readonly folder: string
  readonly file: string
  readonly follower: Follower
  /** Every text that was applied. */
  readonly applied: readonly string[]
  readonly refused: readonly string[]
  readonly logged: readonly string[]
}

interface SceneOptions {
  readonly text?: string
  readonly secretFiles?: readonly string[]
  readonly prepare?: (folder: string, file: string) => Promise<unknown>
}

/** The real compiler behind the real watcher; only the server is left out. */
async function following({ after }: TestContext, options: SceneOptions = {}): Promise<Scene> {
  const { text = SIX, prepare = (_, file) => writeFile(file, text) } = options
  const folder = await mkdtemp(join(tmpdir(), 'follow-'))
  after(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'gateways.yaml')
  await prepare(folder, file)
  const secretFiles = (options.secretFiles ?? []).map((name) => join(folder, name))
  const [applied, refused, logged]: string[][] = [[], [], []]
  let running = text
  let generation = 1
  const current = () => ({ generation, routes: new Map(Object.entries(load(running).config.routes)) })
  const write = (event: string) => logged?.push(event)
  const follower = followFile({
    file,
    watch: true,
    log: { ...silentLog, warn: write, info: write, error: write },
    app: {
      current,
      isValid,
      running: () => ({ text: running, secretFiles }),
      reload: async (next) => {
        try {
          load(next)
        } catch (error) {
          refused?.push(next)
          throw error
        }
        running = next
        generation += 1
        applied?.push(next)
        return current()
      },
    },
  })
  after(() => follower.close())
  return { folder, file, follower, applied: applied ?? [], refused: refused ?? [], logged: logged ?? [] }
}

/** Waits until it is so; the time it took. */
async function until(isSo: () => boolean, withinMs = WITHIN_MS): Promise<number> {
  const begun = performance.now()
  while (!isSo()) {
    if (performance.now() - begun > withinMs) assert.unreachable(`not within ${withinMs} ms: ${isSo}`)
    await delay(20)
  }
  return performance.now() - begun
}

/** The watcher has looked by then, whether an event came or not. */
const LOOKED_MS = 1_400

test('sec-H1: a save in two halves, at 48 offsets of two edits: no route is dropped in between, and the whole counts', async (context) => {
  const edits = [
    SIX,
    ...['another title in the first route', 'a route that is added in the middle'].map(
      (name) => EDITS[name]?.(SIX) ?? '',
    ),
  ]
  const saves = edits.flatMap((whole) =>
    Array.from({ length: 16 }, (_, index) => ({
      whole,
      cut: Math.floor(((index + 0.5) / 16) * whole.length),
    })),
  )
  assert.is(saves.length, 48)
  await Promise.all(
    saves.map(async ({ whole, cut }) => {
      const { file, applied, follower } = await following(context)
      await writeFile(file, whole.slice(0, cut))
      await delay(LOOKED_MS)
      assert.equal(applied, [], `${cut} of ${whole.length} bytes were taken for whole`)
      await writeFile(file, whole)
      if (whole !== SIX) {
        await until(() => applied.length > 0, WITHIN_MS * 2)
        assert.equal(applied, [whole])
      }
      await until(() => follower.stale() === undefined, WITHIN_MS * 2)
    }),
  )
})

test('what is held says so, counts when it has stayed for 5 s, and not before', async (context) => {
  const { file, follower, applied, logged } = await following(context)
  const prefix = SIX.slice(0, SIX.indexOf('  f:'))
  await writeFile(file, prefix)
  await until(() => follower.stale()?.why === 'held')
  assert.match(follower.stale()?.reason ?? '', 'the beginning of the text that runs')
  assert.is(logged.filter((event) => event.includes('held')).length, 1)
  const took = await until(() => applied.length > 0, HOLD_MS + WITHIN_MS)
  assert.equal(applied, [prefix])
  assert.ok(took > HOLD_MS - 500, `${took}`)
  assert.is(follower.stale(), undefined)
})

test('what is held counts at once when it is asked for', async (context) => {
  const { file, follower, applied } = await following(context)
  await writeFile(file, SIX.trimEnd())
  await until(() => follower.stale()?.why === 'held')
  const outcome = await follower.reload()
  assert.equal([outcome.kind, outcome.generation], ['applied', 2])
  assert.equal(applied, [SIX.trimEnd()])
  assert.is(follower.lastReload()?.trigger, 'request')
  assert.is((await follower.reload()).kind, 'unchanged')
})

test('held and written on: the 5 s begin anew', async (context) => {
  const { file, follower, applied } = await following(context)
  for (let index = 1; index <= 3; index += 1) {
    await writeFile(file, SIX.slice(0, 300 + index * 10))
    await delay(2_500)
    assert.is(follower.stale()?.why, 'held')
  }
  assert.equal(applied, [])
})

test('sec-H5: a mistake is refused once, stays told, and is over with the next good save', async (context) => {
  const { file, follower, applied, refused } = await following(context)
  await writeFile(file, SIX.replace('version: 1', 'version: 2'))
  await until(() => follower.stale()?.why === 'refused')
  await delay(LOOKED_MS)
  assert.is(refused.length, 1)
  assert.equal([follower.lastReload()?.kind, follower.lastReload()?.generation], ['refused', 1])
  assert.match(follower.stale()?.reason ?? '', /gateways\.yaml:2:10/)
  await writeFile(file, EDITS['a comment at the top']?.(SIX) ?? '')
  await until(() => applied.length === 1)
  assert.is(follower.stale(), undefined)
})

test('the folder is removed and made anew: the next save counts all the same', async (context) => {
  const { folder, file, follower, applied } = await following(context)
  await rm(folder, { recursive: true })
  await until(() => follower.stale()?.why === 'missing')
  await mkdir(folder)
  await writeFile(file, SIX)
  await until(() => follower.stale() === undefined)
  for (const [index, name] of ['a comment at the top', 'another title in the first route'].entries()) {
    await writeFile(file, EDITS[name]?.(SIX) ?? '')
    await until(() => applied.length === index + 1)
  }
})

test('a file that becomes a folder, and a file again, is no end', async (context) => {
  const { file, follower, applied } = await following(context)
  await rm(file)
  await mkdir(file)
  await until(() => follower.stale()?.why === 'unreadable')
  await rm(file, { recursive: true })
  await writeFile(file, EDITS['a comment at the top']?.(SIX) ?? '')
  await until(() => applied.length === 1)
})

test('a secret that is rotated beside the file reloads, the same secret written again does not', async (context) => {
  const prepare = async (folder: string, file: string) => {
    await writeFile(join(folder, 'secret'), 'one')
    await writeFile(file, SIX)
  }
  const { folder, applied } = await following(context, { secretFiles: ['secret'], prepare })
  await delay(300)
  await writeFile(join(folder, 'secret'), 'one')
  await delay(LOOKED_MS)
  assert.equal(applied, [])
  await writeFile(join(folder, 'next'), 'two')
  await rename(join(folder, 'next'), join(folder, 'secret'))
  await until(() => applied.length === 1)
  assert.equal(applied, [SIX])
})

test('a file that was replaced behind its mount is told as detached', async (context) => {
  // A file without a name, as a bind mount of one file has it after `git checkout` on the host.
  const prepare = async (folder: string, file: string) => {
    const old = join(folder, 'old')
    await writeFile(old, SIX)
    const handle = await open(old)
    context.after(() => handle.close())
    await rm(old)
    await symlink(`/proc/${process.pid}/fd/${handle.fd}`, file)
  }
  if (process.platform !== 'linux') return
  const { follower, logged } = await following(context, { prepare })
  await until(() => follower.stale()?.why === 'detached')
  assert.match(follower.stale()?.reason ?? '', 'mount its folder')
  await delay(LOOKED_MS)
  assert.is(logged.length, 1)
})

test('a mount table tells which file is detached', () => {
  const line = (root: string, at: string) => `36 35 98:0 ${root} ${at} rw,noatime - ext4 /dev/root rw`
  const table = [line('/', '/'), line('/src/a.yaml//deleted', '/etc/my\\040file.yaml'), ''].join('\n')
  assert.is(isMountOfDeleted(table, '/etc/my file.yaml'), true)
  assert.is(isMountOfDeleted(table, '/etc/other.yaml'), false)
  assert.is(isMountOfDeleted('', '/etc/my file.yaml'), false)
})

test('requests at the same time are taken one after the other, and each is answered', async (context) => {
  const { file, follower, applied } = await following(context)
  await writeFile(file, EDITS['a comment at the top']?.(SIX) ?? '')
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => follower.reload()))
  assert.equal(
    outcomes.map(({ kind }) => kind),
    ['applied', ...Array(9).fill('unchanged')],
  )
  assert.is(applied.length, 1)
})

test.run()
