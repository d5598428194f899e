import type { Server } from 'node:http'

export declare const DEFAULT_PORT: number

export interface DemoOptions {
  /** 0, the default, picks a free one. */
  port?: number
  host?: string
  /** Further static clients, as RFC 7591 metadata. */
  clients?: Record<string, unknown>[]
  /** Where `demo-gateway` may be sent back to; on loopback any port matches (RFC 8252 §7.3). */
  redirectUris?: string[]
  accessTokenTtlSeconds?: number
  rotateRefreshTokens?: boolean
  /** Where clients, grants and tokens outlive a restart; without it they do not. */
  file?: string
}

export interface DemoUpstream {
  /** The MCP URL. */
  url: string
  issuer: string
  port: number
  server: Server
  close(): Promise<void>
}

export declare function startDemoUpstream(options?: DemoOptions): Promise<DemoUpstream>
