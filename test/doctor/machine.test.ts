// What `doctor` says of this machine: files, modes, the port, the public URL, certificates.
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { isMountPoint } from '../../src/doctor/files.ts'
import { judgePeer } from '../../src/doctor/tls.ts'
import { runCli } from '../cli/run-cli.ts'
import { startGateway } from '../support/gateway.ts'
import { listen } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { suite } from '../support/suite.ts'
import { about, CANARY, visit } from './visit.ts'

const test = suite('doctor/machine')
const run = promisify(execFile)

const yaml = (server: string, rest = 'store: { type: memory }', auth = 'none', port = 9) => `version: 1
server: ${server}
login: { none: {} }
${rest}
routes: { a: { upstream: "http://127.0.0.1:${port}", auth: ${auth} } }
`
const local = (text: string, options = {}) => visit(text, { routes: [], ...options })

test('a secret file that everyone may read is a warning with the command that mends it', async () => {
  const text = yaml('{ port: 0 }', 'store: { type: memory }', '{ type: api_key, value: "${file:key}" }')
  const withMode = (mode: number) =>
    local(text, {
      prepare: async (folder: string) => {
        await writeFile(join(folder, 'key'), CANARY)
        await chmod(join(folder, 'key'), mode)
      },
    })
  assert.equal(about('secrets', await withMode(0o600)), ['ok secrets: the secret file is private'])
  assert.equal(about('secrets', await withMode(0o644)), [
    "warn secrets: every user of this machine may read (folder)/key (mode 0644) → Run: chmod 600 '(folder)/key'",
  ])
})

test('state that others may read is what the gateway would not start on', async () => {
  const text = yaml('{ port: 0 }', '')
  const withModes = (store: number, key: number) =>
    local(text, {
      prepare: async (folder: string) => {
        await mkdir(join(folder, 'state/store'), { recursive: true })
        await writeFile(join(folder, 'state/store.key'), CANARY)
        await chmod(join(folder, 'state/store'), store)
        await chmod(join(folder, 'state/store.key'), key)
      },
    })
  assert.equal(about('store', await withModes(0o700, 0o600)), ['ok store: (folder)/state/store is private'])
  assert.equal(about('store', await withModes(0o755, 0o640)), [
    "FAIL store: (folder)/state/store is open to other users (mode 0755) → Run: chmod 700 '(folder)/state/store'",
    "FAIL store: (folder)/state/store.key is open to other users (mode 0640) → Run: chmod 600 '(folder)/state/store.key'",
  ])
})

test('state that is not there yet is no problem', async () => {
  assert.equal(about('store', await local(yaml('{ port: 0 }', ''))), [
    'ok store: (folder)/state/store will be made at the first start',
  ])
})

test('state that would lie in a file is told once, with the file', async () => {
  const prepare = (folder: string) => writeFile(join(folder, 'state'), '')
  assert.equal(about('store', await local(yaml('{ port: 0 }', ''), { prepare })), [
    'FAIL store: (folder)/state/store cannot be made: (folder)/state is a file → Set store.path to a folder of the gateway.',
  ])
})

test('a port is free, taken by this gateway, or taken by something else', async ({ after }) => {
  const other = await listen((_, response) => response.end('hello'), await freePort())
  after(other.close)
  const at = (port: number) => local(yaml(`{ host: 127.0.0.1, port: ${port} }`))
  assert.equal(about('server.port', await at(other.port)), [
    `FAIL server.port: ${other.port} is taken by something else (no metadata) → End it, or choose another server.port.`,
  ])
  await other.close()
  assert.match(about('server.port', await at(other.port)).join(), /^ok .* is free/)
  const gateway = await startGateway({ yaml: yaml(`{ host: 127.0.0.1, port: ${other.port} }`) })
  after(gateway.close)
  assert.equal(about('server.port', await at(other.port)), [
    `ok server.port: ${other.port} is this gateway, running`,
  ])
})

test('the public URL is this gateway, another one, or nobody', async ({ after }) => {
  const proxy = await listen((_, response) => response.end(JSON.stringify({ issuer: answer })))
  after(proxy.close)
  let answer = proxy.origin
  const ask = async () =>
    about('server.public_url', await local(yaml(`{ port: 0, public_url: "${proxy.origin}" }`)))
  assert.equal(await ask(), [`ok server.public_url: ${proxy.origin} is this gateway`])
  answer = 'https://other.example.com'
  assert.equal(await ask(), [
    `FAIL server.public_url: ${proxy.origin} answers as https://other.example.com → Point the proxy here, or correct server.public_url.`,
  ])
  await proxy.close()
  assert.equal(await ask(), [
    `warn server.public_url: ${proxy.origin} cannot be reached: connection refused → The gateway does not run here: start it, then run doctor again.`,
  ])
})

// A container holds on to the file that was mounted: an unlinked file that is still open is just that.
test.skipUnless(process.platform === 'linux', 'only Linux has /proc')(
  'a file that was replaced outside is found by its lost name',
  async ({ after }) => {
    const folder = await mkdtemp(join(tmpdir(), 'doctor-'))
    after(() => rm(folder, { recursive: true }))
    const { open } = await import('node:fs/promises')
    await writeFile(join(folder, 'gateways.yaml'), yaml('{ port: 0 }'))
    const handle = await open(join(folder, 'gateways.yaml'))
    after(() => handle.close())
    await rm(join(folder, 'gateways.yaml'))
    const { code, stdout } = await runCli(['doctor', '-c', `/proc/${process.pid}/fd/${handle.fd}`], {
      env: { HOME: folder },
    })
    assert.is(code, 1)
    assert.match(
      stdout,
      /^FAIL {2}file .* was replaced on the host, but this container still has the old one\n +→ Mount the folder/m,
    )
  },
)

const MOUNTS = `1 2 0:3 / /proc rw,nosuid - proc proc rw
36 35 8:1 /home/me/gate\\040way/gateways.yaml /etc/gate\\040way/gateways.yaml rw - ext4 /dev/sda1 rw
37 35 8:1 /srv /srv rw - ext4 /dev/sda1 rw
`

test('a file that is a mount of its own is found in mountinfo', () => {
  assert.is(isMountPoint('/etc/gate way/gateways.yaml', MOUNTS), true)
  assert.is(isMountPoint('/srv/gateways.yaml', MOUNTS), false)
  assert.is(isMountPoint('/etc/gate way/gateways.yaml', ''), false)
})

const DAY = 24 * 60 * 60 * 1000
const NOW = Date.parse('2026-01-01')
const ends: [days: number, distrust: string | undefined, expected: RegExp | undefined][] = [
  [90, undefined, undefined],
  [14, undefined, undefined],
  [13, undefined, /^warn .* ends in 13 days/],
  [-1, 'CERT_HAS_EXPIRED', /^FAIL .* ended on 2025-12-31/],
  [90, 'DEPTH_ZERO_SELF_SIGNED_CERT', /^FAIL .* not trusted/],
]

for (const [days, distrust, expected] of ends) {
  test(`a certificate with ${days} days left and ${distrust ?? 'trust'}`, () => {
    const found = judgePeer('a.example', { validToMs: NOW + days * DAY, distrust, fingerprint: '' }, NOW)
    if (expected) assert.match(`${found?.level} ${found?.message}`, expected)
    else assert.is(found, undefined)
  })
}

const openssl = await run('openssl', ['version']).then(
  () => true,
  () => false,
)

test.skipUnless(openssl, 'no openssl')(
  'certificates of upstreams and our own are looked at',
  async ({ after }) => {
    const folder = await mkdtemp(join(tmpdir(), 'doctor-'))
    after(() => rm(folder, { recursive: true }))
    await makeCertificate(folder, 5)
    const [cert, key] = await Promise.all(
      ['cert.pem', 'key.pem'].map((name) => readFile(join(folder, name), 'utf8')),
    )
    const upstream = createServer({ cert, key }, (_, response) => response.end('{}'))
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    after(() => upstream.close())
    const { port } = upstream.address() as AddressInfo
    const text = `version: 1
server: { host: 127.0.0.1, port: 0, tls: { cert: "\${file:cert.pem}", key: "\${file:key.pem}" } }
store: { type: memory }
login: { none: {} }
routes: { a: { upstream: "https://localhost:${port}", auth: none } }
`
    await writeFile(join(folder, 'gateways.yaml'), text)
    const ask = async (env: Record<string, string>) =>
      (await runCli(['doctor'], { cwd: folder, env: { HOME: folder, ...env } })).stdout
    const distrusted = await ask({})
    assert.match(
      distrusted,
      /FAIL {2}routes\.a +https:\/\/localhost:\d+ gave no answer: its certificate is self-signed/,
    )
    assert.match(distrusted, /FAIL {2}tls +the certificate of localhost:\d+ is not trusted/)
    const trusted = await ask({ NODE_EXTRA_CA_CERTS: join(folder, 'cert.pem') })
    assert.match(trusted, /ok {4}routes\.a +https:\/\/localhost:\d+ answers/)
    assert.match(trusted, /warn {2}tls +the certificate of localhost:\d+ ends in [45] days/)
    assert.match(trusted, /warn {2}server\.tls +the certificate \(CN=localhost\) ends in [45] days/)
  },
)

async function makeCertificate(folder: string, days: number): Promise<void> {
  const at = (name: string) => join(folder, name)
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const output = ['-keyout', at('key.pem'), '-out', at('cert.pem')]
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    String(days),
    ...subject,
    ...output,
  ])
}

test.run()
