import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { isIPv6 } from 'node:net'
import * as assert from 'uvu/assert'
import { UpstreamError } from '../../src/errors.ts'
import { createGuard, type Trust } from '../../src/upstream/guard.ts'
import type { Lookup } from '../../src/upstream/resolve.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/guard')

const PUBLIC = '93.184.216.34'
const UPSTREAM = 'mcp.corp.test'
const derived: Trust = { derivedFrom: UPSTREAM }
const never = new AbortController().signal

const asAddress = (address: string): LookupAddress => ({ address, family: isIPv6(address) ? 6 : 4 })

/** A resolver that gives these answers one after the other, and the last one ever after. */
function resolver(...answers: (readonly string[])[]) {
  const asked: string[] = []
  const lookup: Lookup = (hostname, _options, callback) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] ?? []
    asked.push(hostname)
    setImmediate(() => callback(null, answer.map(asAddress)))
  }
  return { lookup, asked }
}

async function verdict(url: string, trust: Trust, lookup: Lookup): Promise<string> {
  try {
    const addresses = await createGuard(lookup)(new URL(url), trust, never)
    return addresses.map(({ address }) => address).join(' ')
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    assert.is(error.fault, 'unreachable')
    assert.is(error.message, 'the upstream could not be reached')
    return `refused: ${error.detail.reason}`
  }
}

const REFUSED = 'refused: private_address'

/** Who named the URL, the URL, what its name resolves to, and the verdict. */
const CASES: readonly (readonly [trust: Trust, url: string, answer: readonly string[], expected: string])[] =
  [
    ['configured', 'https://mcp.corp.test/mcp', ['10.0.0.7'], '10.0.0.7'],
    ['configured', 'http://mcp.corp.test:8080/mcp', ['10.0.0.7', PUBLIC], `10.0.0.7 ${PUBLIC}`],
    ['configured', 'http://169.254.169.254/', [], '169.254.169.254'],
    ['configured', 'http://[::1]:3000/', [], '::1'],
    ['configured', 'https://nowhere.test/', [], 'refused: no_address'],
    ['configured', 'https://user@mcp.corp.test/', ['10.0.0.7'], 'refused: userinfo'],
    ['configured', 'https://:secret@mcp.corp.test/', ['10.0.0.7'], 'refused: userinfo'],
    ['configured', 'ftp://mcp.corp.test/', ['10.0.0.7'], 'refused: scheme'],
    ['configured', 'file:///etc/passwd', [PUBLIC], 'refused: scheme'],
    ['configured', 'data:application/json,{}', [PUBLIC], 'refused: scheme'],
    ['configured', 'unix:/run/docker.sock', [PUBLIC], 'refused: scheme'],

    [derived, 'https://as.test/.well-known/x', [PUBLIC], PUBLIC],
    [derived, 'https://as.test:8443/', [PUBLIC, '2606:4700::1'], `${PUBLIC} 2606:4700::1`],
    [derived, 'https://as.test/', ['10.0.0.8'], REFUSED],
    [derived, 'https://169.254.169.254/latest/meta-data', [], REFUSED],
    [derived, 'https://[fd00:ec2::254]/', [], REFUSED],
    [derived, 'https://localhost/', ['127.0.0.1'], REFUSED],
    [derived, 'https://mcp.corp.test:9000/token', ['10.0.0.7'], '10.0.0.7'],
    [derived, 'https://MCP.corp.test/token', ['10.0.0.7'], '10.0.0.7'],
    [derived, 'https://other.mcp.corp.test/', ['10.0.0.7'], REFUSED],
    [derived, 'https://corp.test/', ['10.0.0.7'], REFUSED],
    [derived, 'https://mcp.corp.test.evil.test/', ['10.0.0.7'], REFUSED],
    [derived, 'https://mcp.corp.test./', ['10.0.0.7'], REFUSED],
    [derived, 'http://mcp.corp.test/token', ['10.0.0.7'], 'refused: scheme'],
    [derived, 'http://as.test/', [PUBLIC], 'refused: scheme'],
    [{ derivedFrom: 'localhost' }, 'http://localhost:9000/', ['127.0.0.1'], '127.0.0.1'],
    [{ derivedFrom: '127.0.0.1' }, 'http://127.0.0.1:9000/', [], '127.0.0.1'],
    [{ derivedFrom: '[::1]' }, 'http://[::1]:9000/', [], '::1'],
    [{ derivedFrom: 'localhost' }, 'http://127.0.0.1:9000/', [], 'refused: scheme'],
    [{ derivedFrom: 'localhost' }, 'https://127.0.0.1:9000/', [], REFUSED],
    [{ derivedFrom: '127.0.0.1' }, 'https://127.0.0.2/', [], REFUSED],
    [{ derivedFrom: 'localhost' }, 'http://as.test/', [PUBLIC], 'refused: scheme'],
    [{ derivedFrom: '10.0.0.7' }, 'https://10.0.0.7:9000/', [], '10.0.0.7'],
    [{ derivedFrom: '10.0.0.7' }, 'https://10.0.0.8/', [], REFUSED],
    [{ derivedFrom: '10.0.0.7' }, 'http://10.0.0.7/', [], 'refused: scheme'],

    ['foreign', 'https://client.test/metadata.json', [PUBLIC], PUBLIC],
    ['foreign', 'https://client.test:8443/metadata.json', ['2606:4700::1'], '2606:4700::1'],
    ['foreign', 'http://client.test/metadata.json', [PUBLIC], 'refused: scheme'],
    ['foreign', 'http://localhost/', ['127.0.0.1'], 'refused: scheme'],
    ['foreign', 'https://client.test/', ['127.0.0.1'], REFUSED],
    ['foreign', 'https://client.test/', ['::ffff:127.0.0.1'], REFUSED],
    ['foreign', 'https://client.test/', ['fe80::1%eth0'], REFUSED],
    ['foreign', 'https://a:b@client.test/', [PUBLIC], 'refused: userinfo'],
    ['foreign', `https://${PUBLIC}/`, [], PUBLIC],
    ['foreign', 'https://[2606:4700::1]/', [], '2606:4700::1'],
  ]

for (const [trust, url, answer, expected] of CASES) {
  const who = typeof trust === 'string' ? trust : `derived from ${trust.derivedFrom}`
  test(`sec-F9: ${who}, ${url} at [${answer}]: ${expected}`, async () => {
    assert.is(await verdict(url, trust, resolver(answer).lookup), expected)
  })
}

test('sec-F3: mixed answers are refused, wherever the private one stands', async () => {
  for (const inside of ['127.0.0.1', '10.0.0.1', '::1', '64:ff9b::7f00:1', 'fd00::1']) {
    for (const answer of [
      [PUBLIC, inside],
      [inside, PUBLIC],
      [PUBLIC, '2606:4700::1', inside, '8.8.8.8'],
    ]) {
      assert.is(
        await verdict('https://client.test/', 'foreign', resolver(answer).lookup),
        REFUSED,
        `${answer}`,
      )
      assert.is(await verdict('https://as.test/', derived, resolver(answer).lookup), REFUSED, `${answer}`)
    }
  }
})

test('sec-F3: a name is resolved once, and again for the next request', async () => {
  const { lookup, asked } = resolver([PUBLIC], ['127.0.0.1'])
  const guard = createGuard(lookup)
  const url = new URL('https://rebind.test/')
  assert.equal(await guard(url, 'foreign', never), [asAddress(PUBLIC)])
  assert.is(asked.length, 1)
  const second = await guard(url, 'foreign', never).catch((error: unknown) => error)
  assert.instance(second, UpstreamError)
  assert.is(asked.length, 2)
})

test('sec-F1: every way to write loopback is refused, and no literal is ever looked up', async () => {
  const literals = [
    '0x7f.1',
    '2130706433',
    '127.1',
    '127.0.1',
    '127。0。0。1',
    '１２７.０.０.１',
    '①②⑦.⓪.⓪.①',
    '0177.0.0.1',
    '017700000001',
    '0x7f000001',
    '0X7F.0x0.0x0.0x1',
    '127.0.0.1.',
    '%31%32%37.0.0.1',
    '0',
    '0x0',
    '[::]',
    '[::1]',
    '[::7f00:1]',
    '[::127.0.0.1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:0:127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[2002:7f00:1::]',
    '[2001:0:7f00:1::]',
    '[2606:4700::5efe:127.0.0.1]',
  ]
  const { lookup, asked } = resolver([PUBLIC])
  for (const host of literals) {
    for (const trust of ['foreign', derived] as const) {
      assert.is(await verdict(`https://${host}/c.json`, trust, lookup), REFUSED, host)
    }
  }
  assert.equal(asked, [])
})

test('sec-F1: every spelling of localhost is judged by what it resolves to', async () => {
  for (const host of [
    'localhost',
    'ⓛocalhost',
    'LOCALHOST',
    'ｌｏｃａｌｈｏｓｔ',
    'local\u00adhost',
    '%6cocalhost',
  ]) {
    assert.is(await verdict(`https://${host}/c.json`, 'foreign', systemLookup), REFUSED, host)
  }
})

test('sec-F5: strangers have one lookup under way at most, and the others do not wait for them', async () => {
  const asked: string[] = []
  const pending: (() => void)[] = []
  const guard = createGuard((hostname, _options, callback) => {
    asked.push(hostname)
    if (hostname.startsWith('slow')) pending.push(() => callback(null, [asAddress(PUBLIC)]))
    else callback(null, [asAddress(PUBLIC)])
  })
  const patience = new AbortController()
  const reason = new Error('out of time')
  const verdicts = ['slow1', 'slow2', 'slow3'].map((name) =>
    guard(new URL(`https://${name}.test/`), 'foreign', patience.signal).catch((error: unknown) => error),
  )
  await guard(new URL('https://upstream.test/'), 'configured', never)
  await guard(new URL('https://as.test/'), derived, never)
  assert.equal(asked, ['slow1.test', 'upstream.test', 'as.test'])

  // Nobody waits beyond their time, in the queue or out of it; but the place stays taken until the resolver is done.
  patience.abort(reason)
  assert.equal(await Promise.all(verdicts), [reason, reason, reason])
  const tooLate = guard(new URL('https://late.test/'), 'foreign', patience.signal)
  assert.is(await tooLate.catch((error: unknown) => error), reason)
  const next = guard(new URL('https://next.test/'), 'foreign', never)
  assert.is(asked.length, 3)
  for (const answer of pending) answer()
  assert.equal(await next, [asAddress(PUBLIC)])
  assert.equal(asked.slice(3), ['next.test'])
})

test.run()
