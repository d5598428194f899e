// A world in which somebody holds a token, an upstream that answers as the test says, and raw requests to it.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type RawRequest, type RawResponse, sendRaw } from '../support/raw.ts'
import { Client, INITIALIZE } from './client.ts'
import { obtainTokens, startWorld, type World, type WorldOptions } from './world.ts'

type Context = Parameters<typeof startWorld>[0]

/** A world in which somebody has a token. */
export async function startWithToken(context: Context, options?: WorldOptions) {
  const world = await startWorld(context, options)
  const { tokens } = await obtainTokens({ client: await Client.register(world.url) })
  const [upstream] = world.github.tokens()
  return { world, access: tokens.access, upstreamToken: upstream?.token ?? '' }
}

/** Replaces what the upstream's MCP endpoint does; it still demands its own token first. */
export function script(
  world: World,
  handle: (request: IncomingMessage, response: ServerResponse) => unknown,
): () => void {
  const { handle: original } = world.github.endpoint
  world.github.endpoint.handle = async (request, response) => {
    handle(request, response)
  }
  return () => {
    world.github.endpoint.handle = original
  }
}

export const MESSAGE = JSON.stringify(INITIALIZE)
export const mcpHeaders = (access: string): [string, string][] => [
  ['Authorization', `Bearer ${access}`],
  ['Content-Type', 'application/json'],
  ['Accept', 'application/json, text/event-stream'],
]

export function raw(world: World, access: string, request: RawRequest = {}): Promise<RawResponse> {
  const headers = [...mcpHeaders(access), ...(request.headers ?? [])]
  return sendRaw(world.url, { method: 'POST', target: '/github', body: MESSAGE, ...request, headers })
}
