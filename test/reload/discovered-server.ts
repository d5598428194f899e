// For settings that count only where an authorization server is looked up: the route `github` of a scene, led to an
// upstream that tells where to sign in.
import type { UpstreamLink } from '../../src/slots.ts'
import { type DiscoveryUpstream, startDiscoveryUpstream } from '../support/discovery-upstream.ts'
import type { Doc, Scene } from './scene.ts'

type Settings = Readonly<Record<string, unknown>>

export interface DiscoveredServer {
  readonly upstream: DiscoveryUpstream
  /** Saves the file with these settings of the server beside its issuer. */
  write(settings: Settings): Promise<void>
  /** Where the browser of somebody who signs in now would be sent. Throws what that person would be told. */
  begin(): Promise<URL>
}

export async function discoveredServer(
  scene: Scene,
  use: (server: DiscoveredServer) => Promise<void>,
): Promise<void> {
  const upstream = await startDiscoveryUpstream()
  try {
    await use({
      upstream,
      write: (settings) => scene.edit((doc) => lead(doc, upstream, settings)),
      begin: async () => {
        const { location } = await linkOf(scene).begin('users/victim' as never, 'state', {
          requested: [],
          relink: false,
        })
        return new URL(location)
      },
    })
  } finally {
    await upstream.close()
  }
}

function lead(doc: Doc, { mcpUrl, origin }: DiscoveryUpstream, settings: Settings): void {
  const server = { issuer: origin, ...settings }
  doc.routes.github.upstream.url = mcpUrl
  if (doc.authorization_servers) doc.authorization_servers.gh = server
  else doc.routes.github.auth.authorization_server = server
}

function linkOf({ gateway }: Scene): UpstreamLink {
  const link = gateway.app.current().routes.get('github')?.auth.link
  if (link === undefined) throw new Error('nobody signs in for this route')
  return link
}
