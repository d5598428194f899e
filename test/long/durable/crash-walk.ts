// `kill -9` in the middle of everything, again and again, at points that a seed decides, on one state folder.

import { startMortal } from '../../durable/mortal.ts'
import { assertAlive, assertOver, type Outcome, type Point, STEPS, Walk } from '../../durable/walk.ts'
import { PASSWORD_HASHES, VICTIM } from '../../security/world.ts'
import { startGithub } from '../../support/github.ts'
import type { TestContext } from '../../support/suite.ts'
import { document, githubEnv, githubRoute } from '../../support/yaml.ts'

/** CRASH_SEED=… repeats a run. */
const seed = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 2 ** 32))

/** mulberry32: small, and the same everywhere. */
function generator(start: number): () => number {
  let state = start >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Each step once after its answer, the last ones first: they have most to lose; the others while a step is under way, more of them early: most answers are quick. */
function schedule(random: () => number, kills: number): Point[] {
  const points = Array.from({ length: kills }, (_, at): Point => {
    const step = STEPS.at(-1 - (at % STEPS.length)) ?? 'register'
    return { step, after: at < STEPS.length ? 'answer' : random() ** 2 }
  })
  return points
    .map((point) => ({ point, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ point }) => point)
}

/** Each walk is somebody's first: with a link of before, nobody would be sent to the upstream. */
const users = (count: number) => Array.from({ length: count }, (_, at) => `user-${at}`)

export const login = (names: readonly string[]) => `
login:
  users:
${names.map((name) => `    ${name}: { password_hash: "\${VICTIM_HASH}" }\n`).join('')}`

async function explain<T>(work: () => Promise<T>, what: string): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Error) error.message = `CRASH_SEED=${seed}, ${what}: ${error.message}`
    throw error
  }
}

/** So many kills. What was acknowledged is there afterwards, nothing works twice, and all goes on. */
export async function crashWalk(context: TestContext, kills: number): Promise<void> {
  const github = await startGithub()
  context.after(() => github.close())
  const names = users(kills + 2)
  const yaml = document(githubRoute('github', github)) + login(names)
  const gateway = await startMortal(context, yaml, { ...githubEnv(github), ...PASSWORD_HASHES })
  const world = { gateway, github, usualMs: new Map() }
  const person = (at: number) => ({ username: names[at] ?? '', password: VICTIM.password })

  // The second one is not the first to run each piece of code, so it tells how long things take.
  await new Walk(world, person(kills)).run(false)
  world.usualMs.clear()
  const left: Outcome[] = [await new Walk(world, person(kills + 1)).run(true)]
  for (const [at, point] of schedule(generator(seed), kills).entries()) {
    const stay = at % 2 === 0 && point.step !== 'revoke'
    const walk = new Walk(world, person(at), point)
    left.push(await explain(() => walk.run(stay), `point ${at}, ${JSON.stringify(point)}`))
  }

  await explain(async () => {
    for (const outcome of left) {
      if (outcome.revoked) await assertOver(gateway.url, outcome)
      else await assertAlive(gateway.url, outcome)
    }
  }, 'in the end')
}
