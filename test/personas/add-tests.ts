// The same walk for every persona, as tests of one route.
import type { Suite } from '../support/suite.ts'
import { PERSONAS } from './clients/index.ts'
import { type Scene, startScene } from './scene.ts'
import { comeBack, connect, disconnect } from './walk.ts'

export function addWalks(test: Suite, routeName: string): void {
  let scene: Scene | undefined
  test.before(async () => {
    scene = await startScene(PERSONAS, PERSONAS.length)
  })
  test.after(() => scene?.close())

  for (const persona of PERSONAS) {
    test(`${persona.shows}: ${persona.name} signs in, calls a tool, refreshes and goes on`, async () => {
      if (scene === undefined) throw new Error('there is no scene')
      const [walk, tokens] = await connect(persona, scene, scene.route(routeName))
      const renewed = await comeBack(walk, tokens)
      if (persona.revokes) await disconnect(walk, renewed)
    })
  }
}
