// Since which generation each route is what it is. Pure.
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
  const auth = route?.auth ?? { type: 'none' }
  const own = 'authorization_server' in auth ? auth.authorization_server : undefined
  const provider = 'identity_provider' in auth ? auth.identity_provider : undefined
  const named = [own, provider].map((server) => (typeof server === 'string' ? servers[server] : undefined))
  return JSON.stringify([route, ...named])
}
