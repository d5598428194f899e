// The web site of an MCP client: serves its metadata document and keys, and counts who asks.
import { type Listening, listen } from './http.ts'
import { type Recorder, record } from './recorder.ts'

export interface Served {
  status: number
  headers: Record<string, string>
  body: string
}

export interface ClientHost extends Listening {
  /** The client_id. */
  readonly id: string
  readonly recorder: Recorder
  /** What each path answers with; `/client.json` holds a good document from the start. */
  readonly paths: Map<string, Served>
  /** Changes members of the document at `/client.json`. */
  publish(members: Record<string, unknown>, headers?: Record<string, string>): void
}

const JSON_TYPE = { 'content-type': 'application/json' }

export async function startClientHost(redirectUri = 'http://127.0.0.1:49200/cb'): Promise<ClientHost> {
  const paths = new Map<string, Served>()
  const listening = await listen((request, response) => {
    const served = paths.get(request.url ?? '')
    if (served === undefined) return response.writeHead(404).end()
    response.writeHead(served.status, served.headers).end(served.body)
  })
  const id = `${listening.origin}/client.json`
  const good = { client_id: id, client_name: 'Document client', redirect_uris: [redirectUri] }
  const publish: ClientHost['publish'] = (members, headers = {}) => {
    const body = JSON.stringify({ ...good, ...members })
    paths.set('/client.json', { status: 200, headers: { ...JSON_TYPE, ...headers }, body })
  }
  publish({})
  return { ...listening, id, recorder: record(listening.server), paths, publish }
}
