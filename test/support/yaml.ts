// Configuration texts for test gateways, from the servers they stand in front of.
import type { Github } from './github.ts'
import type { TestMcpServer } from './mcp-server.ts'
import type { Oidc } from './oidc.ts'

/** The environment that `githubRoute` refers to. */
export const githubEnv = (github: Github) => ({ GITHUB_SECRET: github.knobs.clientSecret })

export const githubRoute = (name: string, github: Github, more = ''): string => `
  ${name}:
    upstream: ${github.mcpUrl}
    auth:
      type: authorization_code
      scope: repo read:user
      authorization_server:
        authorization_endpoint: ${github.authorizationEndpoint}
        token_endpoint: ${github.tokenEndpoint}
        client_id: ${github.knobs.clientId}
        client_secret: "\${GITHUB_SECRET}"
        token_endpoint_auth_method: client_secret_post
${more}`

export const oidcRoute = (name: string, oidc: Oidc, more = ''): string => `
  ${name}:
    upstream: ${oidc.mcpUrl}
    auth:
      type: authorization_code
      scope: openid offline_access
      authorization_server:
        issuer: ${oidc.issuer}
        authorization_endpoint: ${oidc.authorizationEndpoint}
        token_endpoint: ${oidc.tokenEndpoint}
        client_id: ${oidc.clientId}
${more}`

export const openRoute = (name: string, server: Pick<TestMcpServer, 'url'>, more = ''): string => `
  ${name}:
    upstream: ${server.url}
    auth: none
${more}`

export const document = (...routes: string[]): string => `version: 1
server: { port: 0 }
routes:${routes.join('')}
`
