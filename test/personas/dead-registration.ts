// A registration that nobody honours any more: made at a gateway whose keys are gone.
import { startGateway } from '../support/gateway.ts'
import { document } from '../support/yaml.ts'
import type { Persona } from './persona.ts'

export async function deadRegistration({ name, identity }: Persona): Promise<string> {
  if (identity.by !== 'registration') throw new Error(`${name} does not register`)
  // Its route is never used.
  const gateway = await startGateway({
    yaml: document('\n  open: { upstream: http://127.0.0.1:9/mcp, auth: none }\n'),
  })
  try {
    const answer = await fetch(`${gateway.url}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(identity.metadata),
    })
    const { client_id: id } = (await answer.json()) as { client_id: string }
    return id
  } finally {
    await gateway.close()
  }
}
