// Real MCP clients that sign in through a browser: SDK v1 (2025-11-25) and SDK v2 (2026-07-28).
import {
  auth as authV2,
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
  UnauthorizedError as UnauthorizedV2,
} from '@modelcontextprotocol/client'
import { auth as authV1, UnauthorizedError as UnauthorizedV1 } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { DiscoveringProvider, MemoryProvider, type ProviderOptions } from './oauth-provider.ts'

export interface Connected<Client, Transport> {
  client: Client
  transport: Transport
  /** Tokens, registration, the pages seen. */
  provider: MemoryProvider
  /** Uses the refresh token now, as the SDK does. */
  refresh(): Promise<void>
  /** The text of a tool's result. */
  call(name: string, input?: Record<string, unknown>): Promise<string>
  /** Calls `countdown` and returns the progress messages in order. */
  countdown(from?: number): Promise<string[]>
  close(): Promise<void>
}
export type ConnectedV1 = Connected<ClientV1, TransportV1>
export type ConnectedV2 = Connected<ClientV2, TransportV2>

/** A provider from an earlier connection continues it: same registration, same tokens, same browser. */
export type ConnectOptions = ProviderOptions | { provider: MemoryProvider }

type Mode = 'auto' | 'legacy' | { pin: string }

const info = { name: 'test-client', version: '1.0.0' }

export async function connectV1(mcpUrl: string, options: ConnectOptions): Promise<ConnectedV1> {
  const provider = 'provider' in options ? options.provider : new MemoryProvider(options)
  // The transport that met the 401 finishes the flow: it remembers the challenge.
  const challenged = new TransportV1(new URL(mcpUrl), { authProvider: provider })
  const connected = await openV1(challenged).catch(async (error: unknown) => {
    if (!(error instanceof UnauthorizedV1)) throw error
    await challenged.finishAuth(provider.callback().get('code') ?? '')
    return connectOnceV1(mcpUrl, { authProvider: provider })
  })
  const refresh = async () => expectAuthorized(await authV1(provider, { serverUrl: mcpUrl }))
  return { ...connected, provider, refresh }
}

export async function connectV2(
  mcpUrl: string,
  options: ConnectOptions & { mode?: Mode },
): Promise<ConnectedV2> {
  const provider = 'provider' in options ? options.provider : new DiscoveringProvider(options)
  const challenged = new TransportV2(new URL(mcpUrl), { authProvider: provider })
  const connected = await openV2(challenged, options.mode).catch(async (error: unknown) => {
    if (!(error instanceof UnauthorizedV2)) throw error
    await challenged.finishAuth(provider.callback())
    return connectOnceV2(mcpUrl, { authProvider: provider }, options.mode)
  })
  const refresh = async () => expectAuthorized(await authV2(provider, { serverUrl: mcpUrl }))
  return { ...connected, provider, refresh }
}

/** Without a sign-in: to an open server, or with a token already in hand. */
export const connectOnceV1 = (mcpUrl: string, options: ConstructorParameters<typeof TransportV1>[1] = {}) =>
  openV1(new TransportV1(new URL(mcpUrl), options))

export const connectOnceV2 = (
  mcpUrl: string,
  options: ConstructorParameters<typeof TransportV2>[1] = {},
  mode?: Mode,
) => openV2(new TransportV2(new URL(mcpUrl), options), mode)

async function openV1(transport: TransportV1) {
  const client = new ClientV1(info)
  // The SDK's own classes disagree under exactOptionalPropertyTypes (`sessionId`).
  await client.connect(transport as Parameters<ClientV1['connect']>[0])
  return { client, transport, ...helpers(client, transport) }
}

async function openV2(transport: TransportV2, mode: Mode = { pin: '2026-07-28' }) {
  const client = new ClientV2(info, { versionNegotiation: { mode } })
  await client.connect(transport)
  return { client, transport, ...helpers(client, transport) }
}

function expectAuthorized(result: string): void {
  if (result !== 'AUTHORIZED') throw new Error(`the refresh ended in ${result}`)
}

function helpers(client: ClientV1 | ClientV2, transport: TransportV1 | TransportV2) {
  const call = async (
    name: string,
    input: Record<string, unknown> = {},
    onprogress?: (message: string) => void,
  ) => {
    const parameters = { name, arguments: input }
    const report = (progress: { message?: string | undefined }) => onprogress?.(progress.message ?? '')
    const result =
      client instanceof ClientV1
        ? await client.callTool(parameters, undefined, { onprogress: report })
        : await client.callTool(parameters, { onprogress: report })
    const [first] = result.content as { text?: string }[]
    return first?.text ?? ''
  }
  const countdown = async (from = 3) => {
    const seen: string[] = []
    await call('countdown', { from, interval_ms: 5 }, (message) => seen.push(message))
    return seen
  }
  const close = async () => {
    await transport.terminateSession().catch(() => undefined)
    await client.close()
  }
  return { call: (name: string, input?: Record<string, unknown>) => call(name, input), countdown, close }
}
