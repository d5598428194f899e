// Which Host and Origin headers an MCP request may carry (MCP transports, "Security & Endpoint"). Pure.
import { isLoopbackHost } from '../loopback.ts'

export interface SiteRules {
  readonly issuer: string
  /** `host[:port]`, lower case. */
  readonly allowedHosts: ReadonlySet<string>
  readonly allowedOrigins: ReadonlySet<string>
}

/** DNS rebinding works under the attacker's own name, so loopback names are always good: a proxy on this machine sends them. */
export function isAllowedHost(rules: SiteRules, host: string | undefined): boolean {
  if (host === undefined) return false
  const wanted = host.toLowerCase()
  return (
    wanted === new URL(rules.issuer).host ||
    rules.allowedHosts.has(wanted) ||
    isLoopbackHost(hostname(wanted))
  )
}

/** Programs send no Origin. A page on loopback may call a gateway on loopback: that is how local tools in a browser work. */
export function isAllowedOrigin(rules: SiteRules, origin: string | undefined): boolean {
  if (origin === undefined || origin === rules.issuer || rules.allowedOrigins.has(origin)) return true
  return (
    URL.canParse(origin) &&
    isLoopbackHost(new URL(origin).hostname) &&
    isLoopbackHost(new URL(rules.issuer).hostname)
  )
}

function hostname(host: string): string {
  return host.replace(/:\d+$/, '')
}
