// Certificates: those of the hosts the gateway talks to, as the handshake shows them, and its own.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { DIRECT, type Egress } from '../upstream/egress.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

export interface Peer {
  readonly validToMs: number
  /** Undefined: trusted. */
  readonly distrust: string | undefined
  readonly fingerprint: string
}

const PATIENCE_MS = 8_000
const DAY_MS = 24 * 60 * 60 * 1000
const SOON_DAYS = 14

export async function checkHosts(hosts: Iterable<string>, nowMs: number, egress: Egress): Promise<Finding[]> {
  const seen = await Promise.all(
    // A host that cannot be reached was told where it was asked for.
    Array.from(hosts, async (host) => ({ host, peer: await peerOf(host, egress).catch(() => undefined) })),
  )
  const reached = seen.flatMap(({ host, peer }) => (peer ? [{ host, peer }] : []))
  const notable = reached.flatMap(({ host, peer }) => judgePeer(host, peer, nowMs) ?? [])
  if (notable.length > 0 || reached.length === 0) return notable
  const first = reached.reduce((a, b) => (b.peer.validToMs < a.peer.validToMs ? b : a))
  const end = `until ${dayOf(first.peer.validToMs)}`
  return [
    ok(
      'tls',
      reached.length === 1
        ? `the certificate of ${first.host} is good ${end}`
        : `the certificates of ${reached.length} hosts are good; the one of ${first.host} ends first: it is good ${end}`,
    ),
  ]
}

/** Undefined: nothing to say. */
export function judgePeer(host: string, { validToMs, distrust }: Peer, nowMs: number): Finding | undefined {
  const days = Math.floor((validToMs - nowMs) / DAY_MS)
  if (days < 0)
    return fail(
      'tls',
      `the certificate of ${host} ended on ${dayOf(validToMs)}`,
      'Whoever runs it has to renew it; check the clock here too.',
    )
  if (distrust !== undefined)
    return fail(
      'tls',
      `the certificate of ${host} is not trusted (${distrust})`,
      'If an authority of your own signed it, name its file in NODE_EXTRA_CA_CERTS.',
    )
  return days < SOON_DAYS
    ? warn('tls', `the certificate of ${host} ends in ${days} days`, 'Whoever runs it has to renew it.')
    : undefined
}

/** `server.tls`: in time, and a pair. */
export function checkOwn({ cert, key }: { cert: string; key: string }, nowMs: number): Finding {
  const scope = 'server.tls'
  try {
    const own = new X509Certificate(cert)
    const { subject } = own
    const endsMs = Date.parse(own.validTo)
    const days = Math.floor((endsMs - nowMs) / DAY_MS)
    if (!isPair(own, key))
      return fail(scope, 'key and cert are no pair', 'Give the key that the certificate was made for.')
    const name = subject.replaceAll('\n', ', ')
    if (days < 0)
      return fail(scope, `the certificate (${name}) ended on ${dayOf(endsMs)}`, 'Renew it and restart.')
    if (days < SOON_DAYS)
      return warn(scope, `the certificate (${name}) ends in ${days} days`, 'Renew it and restart.')
    return ok(scope, `the certificate (${name}) is good until ${dayOf(endsMs)}`)
  } catch {
    return fail(scope, 'cert or key cannot be read', 'Both are PEM texts, the key without a passphrase.')
  }
}

export function fingerprintOf(cert: string): string {
  return new X509Certificate(cert).fingerprint256
}

/** A handshake that accepts whatever is shown, and sends nothing after it. */
export async function peerOf(host: string, egress: Egress = DIRECT): Promise<Peer> {
  const { hostname, port } = new URL(`https://${host}`)
  const target = { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 443 : Number(port) }
  const tunnel = egress.tunnelTo(hostname)
  const through = await tunnel?.(target.host, target.port, AbortSignal.timeout(PATIENCE_MS))
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...target,
      ...(through && { socket: through }),
      ...(isIP(target.host) === 0 && { servername: target.host }),
      rejectUnauthorized: false,
    })
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer in time')))
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      resolve(describePeer(socket))
      socket.destroy()
    })
  })
}

function describePeer(socket: TLSSocket): Peer {
  const { valid_to: validTo, fingerprint256: fingerprint } = socket.getPeerCertificate()
  const { authorized, authorizationError } = socket
  return {
    validToMs: Date.parse(validTo),
    distrust: authorized ? undefined : String(authorizationError),
    fingerprint,
  }
}

function isPair(certificate: X509Certificate, key: string): boolean {
  return certificate.checkPrivateKey(createPrivateKey(key))
}

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
