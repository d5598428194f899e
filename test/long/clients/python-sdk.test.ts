// The Python SDK as a client of the gateway, in a process of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { type Scene, startScene } from '../../personas/scene.ts'
import { Browser } from '../../support/browser.ts'
import { type Person, signIn } from '../../support/person.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { python, WHY_NO_PYTHON } from './packages.ts'

const suiteTest = suite('long/clients/python-sdk')
const test = suiteTest.skipUnless(python, WHY_NO_PYTHON)

const program = fileURLToPath(new URL('python-client.py', import.meta.url))
const REDIRECT = 'http://127.0.0.1:47600/callback'
const METHODS = ['default', 'none', 'client_secret_post', 'client_secret_basic'] as const

let scene: Scene
suiteTest.before(async () => {
  scene = await startScene([], METHODS.length + 1)
})
suiteTest.after(() => scene?.close())

type Message = Readonly<Record<string, unknown>>

/** What the program said so far, one message a line, and who waits for more of it. */
class Conversation {
  readonly #heard: Message[] = []
  readonly #waiting = new Set<() => void>()
  #failure: Error | undefined

  add(message: Message): void {
    this.#heard.push(message)
    for (const check of [...this.#waiting]) check()
  }

  fail(error: Error): void {
    this.#failure ??= error
    for (const check of [...this.#waiting]) check()
  }

  /** The nth message with this member, counted from 1, past or to come. */
  said(member: string, nth = 1): Promise<Message> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = this.#heard.filter((message) => member in message)[nth - 1]
        if (found === undefined && this.#failure === undefined) return
        this.#waiting.delete(check)
        if (found === undefined) reject(this.#failure)
        else resolve(found)
      }
      this.#waiting.add(check)
      check()
    })
  }
}

/** Its person opens what it asks to open, and brings back where the browser was sent. */
function start({ after }: TestContext, url: string, method: string, person: Person) {
  const child = spawn(python ?? '', [program, url, REDIRECT, method], { stdio: ['pipe', 'pipe', 'pipe'] })
  after(() => child.kill('SIGKILL'))
  let complaint = ''
  child.stderr.on('data', (chunk) => {
    complaint += chunk
  })
  const conversation = new Conversation()
  const tell = (line: string) => child.stdin.write(`${line}\n`)
  let visits = 0
  const visit = async (address: string) => {
    visits += 1
    const { callback } = await signIn(new Browser({ stopAt: [REDIRECT] }), address, person)
    tell(callback.href)
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    const message = JSON.parse(line) as Message
    conversation.add(message)
    if (typeof message.open === 'string') visit(message.open).catch((error) => conversation.fail(error))
  })
  const ended = once(child, 'close').then(() => conversation.fail(new Error(`it ended: ${complaint}`)))
  const end = async () => {
    tell('end')
    await ended
  }
  return { tell, said: conversation.said.bind(conversation), end, visits: () => visits }
}

async function lives(context: TestContext, routeName: string, method: string, echoed: string) {
  const { url } = scene.route(routeName)
  const person = scene.newPerson()
  const client = start(context, url, method, person)
  await client.said('token')
  client.tell('whoami')
  const first = await client.said('whoami')
  assert.match(String(first.whoami), person.upstreamName)
  assert.ok((first.tools as string[]).includes('whoami'))
  assert.is((await client.said('registered')).method, echoed)
  assert.match(String((await client.said('token')).scope), `mcp:${routeName}`)

  client.tell('expire')
  await client.said('expired')
  scene.advance(3601)
  client.tell('whoami')
  assert.match(String((await client.said('whoami', 2)).whoami), person.upstreamName)
  const tokens = [await client.said('token'), await client.said('token', 2)].map(({ token }) => String(token))
  assert.is.not(tokens[0], tokens[1], 'refreshed')
  assert.is(client.visits(), 1, 'nobody was asked again')
  await client.end()
  for (const { recorder } of scene.routes) {
    for (const token of tokens) assert.not.ok(recorder.saw(token))
  }
}

for (const method of METHODS) {
  const echoed = method === 'default' ? 'client_secret_basic' : method
  test(
    `spec-C9, spec-D8, spec-D10, spec-T6: the Python SDK registers with ${method}, signs in, calls a tool and refreshes`,
    (context) => lives(context, 'github', method, echoed),
    { timeoutMs: 60_000 },
  )
}

test(
  'spec-D2, spec-A9: the Python SDK signs in on a route whose upstream is discovered',
  (context) => lives(context, 'demo', 'none', 'none'),
  { timeoutMs: 60_000 },
)

suiteTest.run()
