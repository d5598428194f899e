// Addresses that strangers name: a client_id makes the gateway fetch, and none of them makes it fetch from inside, tell
// what is there, wait for long, or hammer somebody else.
import '../../security/fake-names.ts'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import * as assert from 'uvu/assert'
import { type Client, callMcp, send, tokensOf } from '../../security/client.ts'
import { documentClientWorks, documentCode, documentWorld } from '../../security/document-world.ts'
import { names } from '../../security/fake-names.ts'
import { listen } from '../../support/http.ts'
import { freePort } from '../../support/ports.ts'
import { startSink } from '../../support/sink.ts'
import { suite, type TestContext } from '../../support/suite.ts'

const test = suite('long/security/strangers')

/** Global unicast, and given to nobody. */
const OUTSIDE = '2d00::1'

const authorize = (client: Client, id: string) => send(client.trip({ client_id: id }).url)

test('sec-F3: a name that is outside when it is checked and inside when it is asked, or both at once, leads nowhere', async (context) => {
  const { client, url } = await documentWorld(context)
  const inside = await startSink()
  context.after(() => inside.close())
  names.tell('nowhere.test', [])
  const nothing = await authorize(client, `https://nowhere.test:${inside.port}/c.json`)
  assert.is(nothing.status, 400)
  const answers: Record<string, string[][]> = {
    'rebind.test': [[OUTSIDE], ['127.0.0.1']],
    'mixed.test': [[OUTSIDE, '127.0.0.1']],
    'mixed6.test': [['::1', OUTSIDE]],
    'mapped.test': [['::ffff:127.0.0.1']],
    'inside.test': [['127.0.0.1']],
  }
  for (const [name, told] of Object.entries(answers)) {
    names.tell(name, ...told)
    for (let visit = 1; visit <= 2; visit += 1) {
      const answer = await authorize(client, `https://${name}:${inside.port}/c.json`)
      assert.equal([name, answer.status, answer.headers.get('location')], [name, 400, null])
      assert.is(answer.text, nothing.text, 'as if there were no such name (sec-F6)')
      assert.is(names.asked(name), visit, 'one lookup for one request')
    }
  }
  inside.assertUntouched()
  await documentClientWorks(client, url)
})

/** What may be found behind an address, from nothing to a server that says too little. */
async function doors({ after }: TestContext): Promise<Record<string, string>> {
  const garbage = createServer((socket) => {
    socket
      .on('error', () => {})
      .resume()
      .end('SSH-2.0-x\r\n')
  }).listen(0, '127.0.0.1')
  after(() => new Promise((resolve) => garbage.close(resolve)))
  const reset = createServer((socket) => socket.resetAndDestroy()).listen(0, '127.0.0.1')
  after(() => new Promise((resolve) => reset.close(resolve)))
  const web = await listen((request, response) => {
    const status = Number(request.url?.slice(1, 4))
    response.writeHead(status, { 'content-type': 'text/plain', location: '/200' }).end('secret of the inside')
  })
  after(() => web.close())
  const portOf = (server: typeof garbage) => (server.address() as { port: number }).port
  return {
    'a closed port': `http://127.0.0.1:${await freePort()}/c.json`,
    'another protocol': `http://127.0.0.1:${portOf(garbage)}/c.json`,
    'a reset': `http://127.0.0.1:${portOf(reset)}/c.json`,
    ...Object.fromEntries(
      [200, 301, 401, 403, 404, 500, 503].map((status) => [`${status}`, `${web.origin}/${status}.json`]),
    ),
    'a private address': 'https://10.0.0.1/c.json',
    'a metadata service': 'https://169.254.169.254/c.json',
    'no such name': 'https://nowhere.test/c.json',
  }
}

test('sec-F6, spec-C5: one page, byte for byte, whatever is behind the address', async (context) => {
  let offset = 0
  const { client, url } = await documentWorld(context, '', () => Date.now() + offset)
  names.tell('nowhere.test', [])
  const bodies = new Map<string, string>()
  for (const [what, id] of Object.entries(await doors(context))) {
    // A host is asked once a second, after a burst of five.
    offset += 1_000
    const answer = await authorize(client, id)
    assert.equal([what, answer.status], [what, 400])
    bodies.set(answer.text, what)
  }
  assert.equal([...bodies.values()].length, 1, [...bodies.values()].join(', '))
  assert.not.match([...bodies.keys()].join(), /secret of|10\.0|127\.0|169\.254|refused|timed out/)
  await documentClientWorks(client, url)
})

test('sec-F5, spec-C6: an answer of a byte a second ends after five, and holds up nobody else meanwhile', async (context) => {
  const { client, url } = await documentWorld(context)
  const { code, verifier } = await documentCode(client)
  const { access } = tokensOf(await client.redeem(code, verifier))
  const open = new Set<ServerResponse>()
  const slow = await listen((_request, response) => {
    open.add(response.writeHead(200, { 'content-type': 'application/json' }))
    const drip = setInterval(() => response.write(' '), 1_000)
    response.on('close', () => {
      clearInterval(drip)
      open.delete(response)
    })
    response.write('{')
  })
  context.after(() => slow.close())

  const started = performance.now()
  const waiting = Array.from({ length: 50 }, (_, path) => authorize(client, `${slow.origin}/${path}.json`))
  const ended = Promise.all(waiting).then(() => 'ended' as const)
  const tooksMs: number[] = []
  let state: string
  do {
    const from = performance.now()
    assert.is((await callMcp(`${url}/open`, access)).status, 200)
    tooksMs.push(performance.now() - from)
    state = await Promise.race([ended, new Promise<string>((resolve) => setTimeout(resolve, 25, 'going on'))])
  } while (state !== 'ended')
  // Five seconds, and what a busy machine adds.
  assert.ok(performance.now() - started < 8_000)
  for (const answer of await Promise.all(waiting)) assert.is(answer.status, 400)
  await until(() => open.size === 0)
  const slowest = tooksMs.sort((a, b) => b - a)[Math.floor(tooksMs.length / 100)] ?? 0
  assert.ok(tooksMs.length > 20, `${tooksMs.length}`)
  assert.ok(slowest < 1_500, `${slowest} ms`)
})

test('sec-F7: a thousand addresses at one host make at most ten requests there in five seconds', async (context) => {
  const { client, url, host } = await documentWorld(context)
  const started = performance.now()
  for (let batch = 0; batch < 20; batch += 1) {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, path) => authorize(client, `${host.origin}/${batch}-${path}.json`)),
    )
    for (const { status } of answers) assert.is(status, 400)
  }
  const seconds = (performance.now() - started) / 1_000
  assert.ok(host.recorder.count() <= 5 + Math.ceil(seconds), `${host.recorder.count()} in ${seconds} s`)
  assert.ok(seconds > 5 || host.recorder.count() <= 10)
  await until(() => performance.now() - started > (Math.ceil(seconds) + 1) * 1_000)
  await documentClientWorks(client, url)
})

/** The clock is the real one, and nothing tells when it has come so far. */
async function until(passed: () => boolean): Promise<void> {
  while (!passed()) await new Promise((resolve) => setTimeout(resolve, 50))
}

test.run()
