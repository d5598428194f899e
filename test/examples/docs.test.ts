// Every piece of configuration in README.md and docs/ is valid, with neither mistakes nor warnings.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import * as assert from 'uvu/assert'
import { parse, stringify } from 'yaml'
import { checkConfig } from '../../src/config/load.ts'
import { describeProblem } from '../../src/config/problem.ts'
import { suite } from '../support/suite.ts'

type Tree = Readonly<Record<string, unknown>>

const root = new URL('../../', import.meta.url)
const pages = ['README.md', ...readdirSync(new URL('docs/', root)).map((name) => `docs/${name}`)]

/** Files of other programs, by their first key. */
const FOREIGN = ['repos', 'name']

/** What fragments refer to and leave out. Nothing else is put around them but `version` and an open route. */
const SERVERS: Readonly<Record<string, Tree>> = {
  github: { preset: 'github', client_id: 'Ov23', client_secret: '${GITHUB_SECRET}' },
  okta: { issuer: 'https://acme.okta.com', client_id: 'gateway', client_secret: '${OKTA_SECRET}' },
  warehouse: {
    token_endpoint: 'https://login.example.com/token',
    client_id: 'gateway',
    client_secret: '${WAREHOUSE_SECRET}',
  },
}
const ISSUERS: Readonly<Record<string, Tree>> = { okta: { issuer: 'https://acme.okta.com' } }
const LOGIN: Tree = {
  users: {
    alice: {
      password_hash: '${ALICE_HASH}',
      email: 'alice@example.com',
      groups: ['platform', 'ops'],
      claims: { department: 'research', left: 'false' },
    },
    bob: { password_hash: '${BOB_HASH}', groups: ['contractors'] },
  },
}
const CLIENTS: Tree = {
  static: { nightly: { client_secret: '${NIGHTLY_SECRET}', grant_types: ['client_credentials'] } },
}
const ROUTES: Readonly<Record<string, Tree>> = {
  github: { upstream: 'https://mcp.example.com/mcp', auth: 'none', access: { users: ['alice'] } },
  warehouse: { upstream: 'https://warehouse.example.com/mcp', auth: 'none' },
}

interface Snippet {
  readonly place: string
  readonly text: string
}

function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(new URL(page, root), 'utf8')
  return [...text.matchAll(/^( *)```ya?ml\n(.*?)^ *```$/gms)].map(
    ({ 1: indent = '', 2: body = '', index }) => ({
      place: `${page}:${text.slice(0, index).split('\n').length}`,
      text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  )
}

/** A whole file is checked as it stands, an indented block as part of a route, any other beside what it refers to. */
function complete(text: string): string {
  const written: Tree = parse(text)
  if ('version' in written) return text
  if (!text.startsWith(' ')) return stringify(around(written))
  return stringify(around({ routes: { shown: { ...ROUTES.warehouse, ...written } } }))
}

function around(shown: Tree): Tree {
  const routes: Readonly<Record<string, Tree>> = { ...(shown.routes ?? ROUTES) }
  const auths = Object.values(routes).map(({ auth }) => ({ ...(auth as object) }) as Tree)
  const servers = auths.flatMap((auth) => [auth.authorization_server, auth.identity_provider])
  const issuers = Object.values(routes).map(({ token_issuer: issuer }) => (issuer as Tree | undefined)?.name)
  return {
    version: 1,
    login: LOGIN,
    clients: CLIENTS,
    ...shown,
    routes: { ...routes, open: ROUTES.warehouse },
    authorization_servers: { ...named(SERVERS, servers), ...(shown.authorization_servers as object) },
    trusted_issuers: { ...named(ISSUERS, issuers), ...(shown.trusted_issuers as object) },
  }
}

const named = (all: Tree, names: readonly unknown[]): Tree =>
  Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)))

const snippets = pages.flatMap((page) => (page.endsWith('.md') ? snippetsOf(page) : []))
const ours = snippets.filter(({ text }) => !FOREIGN.includes(Object.keys(parse(text))[0] ?? ''))

const test = suite('examples/docs')

test('there is configuration to check, and little else', () => {
  assert.ok(ours.length >= 15, `${ours.length}`)
  assert.is(snippets.length - ours.length, 2)
})

for (const { place, text } of ours) {
  test(`${place} is valid`, () => {
    const { problems } = checkConfig({ file: 'gateways.yaml', text: complete(text), folder: '/' })
    assert.equal(problems.map(describeProblem), [])
  })
}

test('a mistake in a fragment is found', () => {
  const { problems } = checkConfig({
    file: 'gateways.yaml',
    text: complete('    access: { user: [alice] }\n'),
    folder: '/',
  })
  assert.equal(
    problems.map(({ rule }) => rule),
    ['schema/unknown'],
  )
})

for (const page of pages) {
  test(`links of ${page} lead somewhere`, () => {
    for (const [, target = ''] of readFileSync(new URL(page, root), 'utf8').matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [path = '', anchor] = target.split('#')
      const file = new URL(path || basename(page), new URL(page, root))
      assert.ok(existsSync(file), target)
      if (anchor !== undefined) assert.ok(anchorsOf(readFileSync(file, 'utf8')).includes(anchor), target)
    }
  })
}

/** As GitHub makes them of headings. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )

test.run()
