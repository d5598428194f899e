// A small real MCP server behind a real OAuth 2.1 authorization server, both on one port, both forgetting
// everything when they stop unless a file is given. Run it alone with `node examples/demo-upstream/index.mjs [PORT]`.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { pathToFileURL } from 'node:url'
import { createAuthorizationServer } from './authorization-server.mjs'
import { createMcpEndpoint } from './mcp-endpoint.mjs'
import { createSignInPages } from './sign-in.mjs'

export const DEFAULT_PORT = 9010

/** @type {import('./index.d.mts').startDemoUpstream} */
export async function startDemoUpstream({ port = 0, host = '127.0.0.1', ...options } = {}) {
  const server = createServer((request, response) => handle(request, response))
  server.listen(port, host)
  await once(server, 'listening')

  // The issuer is the origin, so everything is made only now that the port is known.
  const actualPort = server.address().port
  const issuer = `http://${host}:${actualPort}`
  const url = `${issuer}/mcp`
  const provider = await createAuthorizationServer({ issuer, resource: url, ...options })
  const authorizationServer = provider.callback()
  const signIn = createSignInPages(provider)
  const mcp = createMcpEndpoint({ issuer, url, provider })
  const metadata = JSON.stringify({
    resource: url,
    authorization_servers: [issuer],
    scopes_supported: ['tools'],
    bearer_methods_supported: ['header'],
    resource_name: 'Demo tools',
  })

  function handle(request, response) {
    const { pathname } = new URL(request.url, issuer)
    if (pathname === '/mcp') return mcp.handle(request, response)
    if (pathname.startsWith('/sign-in/')) return signIn(request, response)
    if (/^\/\.well-known\/oauth-protected-resource(\/mcp)?$/.test(pathname)) {
      return response.writeHead(200, { 'content-type': 'application/json' }).end(metadata)
    }
    return authorizationServer(request, response)
  }

  async function close() {
    await mcp.close()
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }

  return { url, issuer, port: actualPort, server, close }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { url, issuer } = await startDemoUpstream({ port: Number(process.argv[2] ?? DEFAULT_PORT) })
  console.error(`Demo MCP server at ${url}, its authorization server at ${issuer}`)
}
