// Runs of generated steps, on the reference and on the gateway at once. They must agree at every step, and in the end
// about every token there ever was.
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { startGithub } from '../support/github.ts'
import type { TestContext } from '../support/suite.ts'
import { settings } from './check.ts'
import { target } from './sign-in-aims.ts'
import { Model } from './sign-in-model.ts'
import { play, type Step, steps } from './sign-in-steps.ts'
import { type Upstreams, World } from './sign-in-world.ts'

/** How often each kind of step ended in what. */
export type Tally = Map<string, number>

class Command implements fc.AsyncCommand<Model, World> {
  readonly #step: Step
  readonly #tally: Tally

  constructor(step: Step, tally: Tally) {
    this.#step = step
    this.#tally = tally
  }

  check(model: Readonly<Model>): boolean {
    return target(model, this.#step) !== undefined
  }

  async run(model: Model, world: World): Promise<void> {
    const outcome = await agree(model, world, this.#step, target(model, this.#step) ?? 0)
    const kind = `${this.#step.do}: ${outcome.replace(/account-\d+/, 'account')}`
    this.#tally.set(kind, (this.#tally.get(kind) ?? 0) + 1)
  }

  toString(): string {
    return JSON.stringify(this.#step)
  }
}

async function agree(model: Model, world: World, step: Step, index: number): Promise<string> {
  const expected = await play(model, step, index)
  assert.is(
    await world.watch(() => play(world, step, index)),
    expected,
    `${JSON.stringify(step)} with ${index}`,
  )
  return expected
}

async function agreeOnEveryToken(model: Model, world: World): Promise<void> {
  for (const [index, { pairs }] of model.grants.entries()) {
    for (const pair of pairs.keys()) {
      const call = { do: 'call', back: 0, any: true, pair, token: 'access', route: 'own' } as const
      await agree(model, world, call, index)
    }
  }
}

/** So many runs of up to `mostSteps`, half of them with names and passwords, half with nobody asked. After `limitMs` no simpler run that fails is looked for any more. */
export async function run(
  { after }: TestContext,
  runs: number,
  mostSteps: number,
  limitMs: number,
): Promise<Tally> {
  const upstreams: Upstreams = [await startGithub({ page: true }), await startGithub({ page: true })]
  after(() => upstreams[0].close())
  after(() => upstreams[1].close())
  const tally: Tally = new Map()
  const commands = fc.commands(
    steps.map((step) => step.map((drawn) => new Command(drawn, tally))),
    { maxCommands: mostSteps, size: 'max' },
  )
  const property = fc.asyncProperty(fc.constantFrom('users', 'none'), commands, async (login, drawn) => {
    const model = new Model(login)
    const world = await World.start(login, upstreams)
    try {
      await fc.asyncModelRun(() => ({ model, real: world }), drawn)
      await agreeOnEveryToken(model, world)
    } finally {
      await world.close()
    }
  })
  const limits = { interruptAfterTimeLimit: limitMs, markInterruptAsFailure: true }
  await fc.assert(property, { numRuns: runs, ...limits, ...settings() })
  return tally
}

/** What every few runs come to; without them the steps went round in circles. */
const DEEP = [
  'answer: client code',
  'answer: page 403',
  'answer: client access_denied',
  'callback: client code +exchange',
  'callback: page 400',
  'redeem: invalid_grant',
  'refresh: new tokens',
  'revoke: revoked',
  'call: 200 account +call',
  'call: 401',
]

export function assertDeep(tally: Tally): void {
  assert.equal(
    DEEP.filter((kind) => !tally.has(kind)),
    [],
  )
}
