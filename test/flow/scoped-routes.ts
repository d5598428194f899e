// One route with a sign-in at the upstream and one without, both with the same `scopes`.
import { startGateway } from '../support/gateway.ts'
import { startGithub } from '../support/github.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import type { TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute, openRoute } from '../support/yaml.ts'

export async function startScoped({ after }: TestContext, scopes: string) {
  const [github, open] = [await startGithub(), await startMcpServer()]
  after(() => github.close())
  after(() => open.close())
  const yaml = (more: string) =>
    document(
      githubRoute('github', github, `    scopes: ${more}`),
      openRoute('open', open, `    scopes: ${more}`),
    )
  const gateway = await startGateway({ yaml: yaml(scopes), env: githubEnv(github) })
  after(() => gateway.close())
  return { github, open, yaml, gateway }
}
