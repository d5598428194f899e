// The demo upstream of examples/ as a test server: panva's oidc-provider and an MCP server behind it, recorded.
import {
  type DemoOptions,
  type DemoUpstream,
  startDemoUpstream,
} from '../../examples/demo-upstream/index.mjs'
import { type Recorder, record } from './recorder.ts'

export interface Oidc extends DemoUpstream {
  /** Another name for `url`, as in the other test servers. */
  mcpUrl: string
  authorizationEndpoint: string
  tokenEndpoint: string
  clientId: string
  recorder: Recorder
}

// Any port of these matches, so they serve every gateway a test starts.
const CALLBACKS = ['', '/demo', '/oidc', '/a', '/b'].flatMap((id) => [
  `http://localhost/upstream/callback${id}`,
  `http://127.0.0.1/upstream/callback${id}`,
])

export async function startOidc(options: DemoOptions = {}): Promise<Oidc> {
  const demo = await startDemoUpstream({ redirectUris: CALLBACKS, ...options })
  return {
    ...demo,
    mcpUrl: demo.url,
    authorizationEndpoint: `${demo.issuer}/authorize`,
    tokenEndpoint: `${demo.issuer}/token`,
    clientId: 'demo-gateway',
    recorder: record(demo.server),
  }
}
