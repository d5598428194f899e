// Since which generation each route is what it is. Pure.
import { serversUsed } from '../config/auth-traits.ts'
import type { Config } from '../config/types.ts'

export interface Since {
  readonly config: Config
  readonly generations: ReadonlyMap<string, number>
}

export function routesSince(previous: Since | undefined, config: Config, generation: number): Since {
  const generations = Object.keys(config.routes).map((name): [string, number] => {
    const known = previous?.generations.get(name)
    const isSame = previous !== undefined && describe(previous.config, name) === describe(config, name)
    return [name, known !== undefined && isSame ? known : generation]
  })
  return { config, generations: new Map(generations) }
}

/** The route, and the authorization servers that it names. */
function describe({ routes, authorization_servers: servers }: Config, name: string): string {
  const route = Object.hasOwn(routes, name) ? routes[name] : undefined
  const named = serversUsed(route?.auth ?? { type: 'none' }).map(({ reference }) =>
    typeof reference === 'string' ? servers[reference] : undefined,
  )
  return JSON.stringify([route, ...named])
}
