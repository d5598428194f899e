// Who may import whom, in one place. A room is a folder of src/ or a file beside them; what is not listed is forbidden.
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { suite } from './support/suite.ts'

/**
 * Each room with the rooms, or single files, it may import. `:types` allows `import type` alone, which is gone at run
 * time. Arrows point inward: pure rules know nobody, I/O knows rules, and only the composition root knows all.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  // Values and shapes that anybody may use.
  errors: [],
  'message-of': [],
  environment: [],
  reply: [],
  loopback: [],
  'header-name': [],
  'mcp-methods': [],
  printable: [],
  slots: ['oauth:types'],

  // Pure rules: no I/O, no clock of their own.
  oauth: ['errors', 'loopback', 'slots:types', 'store/records', 'store/seal:types'],
  policy: ['config:types', 'loopback', 'slots:types'],
  pages: [],
  cookies: ['oauth'],
  chain: ['config:types', 'config/auth-traits', 'config/units'],

  // Text to Config. It must work offline, so it reaches no store and no network.
  config: [
    'chain',
    'environment:types',
    'header-name',
    'loopback',
    'mcp-methods',
    'message-of',
    'oauth',
    'policy',
    'printable',
    'auth/servers',
    'slots:types',
    'upstream/private-key',
  ],

  // I/O, each room with one kind of it.
  ops: ['errors:types', 'printable'],
  watch: ['message-of', 'ops:types'],
  reload: ['config/problem', 'config/parse', 'config/schema-walk', 'message-of', 'ops:types', 'watch'],
  store: ['environment:types', 'errors', 'message-of', 'oauth:types', 'slots:types'],
  upstream: [
    'errors',
    'header-name',
    'loopback',
    'oauth/client-document',
    'oauth/issuer-token:types',
    'oauth/own-address',
    'ops:types',
    'slots:types',
  ],

  // The slots' implementations. They never know each other.
  login: [
    'config:types',
    'environment:types',
    'errors',
    'oauth',
    'policy/profile',
    'slots:types',
    'store/private-files',
  ],
  auth: [
    'config:types',
    'errors',
    'header-name',
    'message-of',
    'oauth',
    'ops:types',
    'policy/bucket',
    'slots:types',
    'store',
    'upstream',
  ],

  // One generation, and what serves it. Endpoints see the built gateway, never the configuration it was built from.
  gateway: [
    'auth',
    'chain',
    'config:types',
    'cookies',
    'header-name',
    'oauth',
    'policy',
    'slots:types',
    'store/records:types',
    'upstream/client-documents:types',
  ],
  streams: ['gateway:types', 'oauth', 'policy', 'slots:types', 'store'],
  'mcp-sessions': ['errors', 'oauth', 'ops:types', 'policy/bucket', 'slots:types', 'store'],
  exchanges: [],
  departed: ['endpoints/known-subjects', 'endpoints:types', 'gateway:types', 'store'],
  endpoints: [
    'cookies',
    'errors',
    'gateway:types',
    'mcp-methods',
    'mcp-sessions:types',
    'oauth',
    'ops:types',
    'pages',
    'policy',
    'reply',
    'slots:types',
    'store',
    'streams:types',
    'upstream',
  ],
  server: ['cookies', 'endpoints', 'policy/cors', 'gateway:types', 'mcp-methods', 'reply', 'upstream:types'],

  // A new configuration, from what a preset or a live server says.
  init: ['config', 'errors', 'printable', 'upstream'],

  // Questions to the outside about a configuration that need not run.
  doctor: [
    'auth/api-key',
    'auth/client-key',
    'auth/configured-server',
    'auth/destination',
    'auth/key-check',
    'auth/own-client',
    'auth/servers',
    'auth/context:types',
    'config:types',
    'config/auth-traits',
    'errors',
    'oauth/grant-types',
    'oauth/scope',
    'header-name',
    'message-of',
    'printable',
    'store/private-files',
    'store/state-folder:types',
    'upstream',
  ],

  // What a running gateway tells the commands, over a socket of its own.
  control: [
    'app:types',
    'config',
    'environment:types',
    'gateway:types',
    'oauth/tokens',
    'message-of',
    'ops:types',
    'reload:types',
    'slots:types',
    'store',
  ],

  // What puts it all together, and the commands.
  app: [
    'control',
    'auth',
    'config',
    'departed',
    'endpoints:types',
    'endpoints/grants',
    'endpoints/key-attempts',
    'endpoints/register',
    'environment:types',
    'errors',
    'exchanges',
    'gateway',
    'login',
    'mcp-sessions',
    'ops:types',
    'server',
    'store',
    'streams',
    'upstream',
  ],
  cli: [
    'app',
    'config',
    'control',
    'doctor',
    'endpoints/index',
    'environment:types',
    'errors:types',
    'gateway:types',
    'init',
    'login',
    'mcp-methods',
    'message-of',
    'ops',
    'reload',
    'store',
  ],
  index: ['cli', 'config/problem', 'message-of'],
}

/** Each package with the places that may know it. A package that could be anywhere could not be replaced. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@node-rs/argon2': ['login/password'],
  ajv: ['config'],
  chokidar: ['watch'],
  fastify: ['server', 'app:types'],
  got: ['upstream/http'],
  jose: ['oauth/assertion', 'oauth/issuer-token', 'upstream/issuer-keys', 'store/signing-keys'],
  lmdb: ['store'],
  oauth4webapi: ['upstream'],
  pino: ['ops'],
  undici: ['upstream/egress', 'upstream/pools', 'upstream/relay', 'upstream/fault'],
  yaml: ['config'],
}

/** Modules of Node that are I/O, with the places that may do it. All others (crypto, path, util …) are free. */
const NODE_IO: Readonly<Record<string, readonly string[]>> = {
  'node:fs': ['cli', 'config', 'control'],
  'node:fs/promises': ['cli', 'control', 'doctor/files', 'login/initial-user', 'reload', 'store', 'watch'],
  'node:http': ['control', 'upstream', 'endpoints:types', 'exchanges:types', 'server:types'],
  'node:https': ['upstream'],
  'node:net': ['control', 'doctor', 'upstream'],
  'node:dns': ['upstream'],
  'node:child_process': ['cli/git'],
  'node:worker_threads': [],
}

/** Rooms whose every result follows from their arguments. */
const PURE = [
  'errors',
  'message-of',
  'mcp-methods',
  'header-name',
  'reply',
  'loopback',
  'slots',
  'oauth',
  'policy',
  'pages',
  'cookies',
  'chain',
]
/** Hashes and random numbers are all that they take from the machine. */
const PURE_MAY_USE = ['node:crypto']

/** `validate`, `schema` and `help` answer at once: none of these is loaded for them. */
const HEAVY = ['fastify', 'undici', 'lmdb', 'got', 'pino', 'chokidar', '@node-rs/argon2', 'oauth4webapi']

interface Import {
  /** Without the ending: `oauth/scope`, or the name of a package. */
  readonly target: string
  readonly typesOnly: boolean
  /** Loaded only when that line is reached. */
  readonly dynamic: boolean
}

const root = fileURLToPath(new URL('../src/', import.meta.url))
const STATIC = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm
const DYNAMIC = /\bimport\('([^']+)'\)/g

function importsOf(module: string, text: string): Import[] {
  const resolve = (specifier: string) =>
    specifier.startsWith('.')
      ? normalize(join(dirname(module), specifier))
          .split(sep)
          .join('/')
          .replace(/\.ts$/, '')
      : specifier
  return [
    ...[...text.matchAll(STATIC)].map(([, types, from = '']) => ({
      target: resolve(from),
      typesOnly: types !== undefined,
      dynamic: false,
    })),
    ...[...text.matchAll(DYNAMIC)].map(([, from = '']) => ({
      target: resolve(from),
      typesOnly: false,
      dynamic: true,
    })),
  ]
}

const texts = new Map<string, string>()
const modules = new Map<string, readonly Import[]>()
for (const name of await readdir(root, { recursive: true })) {
  if (!name.endsWith('.ts')) continue
  const module = name.split(sep).join('/').replace(/\.ts$/, '')
  const text = await readFile(join(root, name), 'utf8')
  texts.set(module, text)
  modules.set(module, importsOf(module, text))
}

const roomOf = (module: string) => module.split('/')[0] ?? module
const isInside = (target: string) => modules.has(target)
const packageOf = (target: string) =>
  target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/')
const isNode = (target: string) => target.startsWith('node:')

/** Whether one of the places (`room`, `room/file`, each perhaps with `:types`) is, or holds, the module. */
function covers(places: readonly string[], module: string, typesOnly: boolean): boolean {
  const holds = (place: string) => module === place || module.startsWith(`${place}/`)
  return places.some((place) =>
    place.endsWith(':types') ? typesOnly && holds(place.slice(0, -':types'.length)) : holds(place),
  )
}

function* edges(): Generator<[module: string, edge: Import]> {
  for (const [module, imports] of modules) for (const edge of imports) yield [module, edge]
}

const arrow = (module: string, { target, typesOnly }: Import) =>
  `${module} → ${target}${typesOnly ? ' (types)' : ''}`
const test = suite('layers')

test('every file is in a room of the table, and the table has no room that is gone', () => {
  const rooms = new Set([...modules.keys()].map(roomOf))
  assert.equal([...rooms].sort(), Object.keys(MAY_IMPORT).sort())
})

test('no file imports what its room may not', () => {
  const wrong = [...edges()]
    .filter(([module, { target }]) => isInside(target) && roomOf(target) !== roomOf(module))
    .filter(([module, { target, typesOnly }]) => !covers(MAY_IMPORT[roomOf(module)] ?? [], target, typesOnly))
  assert.equal(
    wrong.map(([module, edge]) => arrow(module, edge)),
    [],
  )
})

test('no permission lies idle', () => {
  const used = [...edges()].filter(
    ([module, { target }]) => isInside(target) && roomOf(target) !== roomOf(module),
  )
  const idle = Object.entries(MAY_IMPORT).flatMap(([room, places]) =>
    places
      .filter(
        (place) =>
          !used.some(
            ([module, { target, typesOnly }]) =>
              roomOf(module) === room && covers([place], target, typesOnly),
          ),
      )
      .map((place) => `${room} → ${place}`),
  )
  assert.equal(idle, [])
})

test('no file needs itself by a detour before it can be loaded', () => {
  const cycles: string[] = []
  const walk = (module: string, path: readonly string[]): void => {
    for (const { target, typesOnly, dynamic } of modules.get(module) ?? []) {
      if (typesOnly || dynamic || !isInside(target)) continue
      if (path.includes(target)) cycles.push([...path.slice(path.indexOf(target)), target].join(' → '))
      else if (!seen.has(target)) {
        seen.add(target)
        walk(target, [...path, target])
      }
    }
  }
  const seen = new Set<string>()
  for (const module of modules.keys()) walk(module, [module])
  assert.equal(cycles, [])
})

test('each package is known where it belongs, and every one of package.json is known', async () => {
  const wrong = [...edges()]
    .filter(([, { target }]) => !isInside(target) && !isNode(target))
    .filter(
      ([module, { target, typesOnly }]) => !covers(PACKAGES[packageOf(target)] ?? [], module, typesOnly),
    )
  assert.equal(
    wrong.map(([module, edge]) => arrow(module, edge)),
    [],
  )
  const { dependencies } = JSON.parse(
    await readFile(new URL('../package.json', import.meta.url), 'utf8'),
  ) as { dependencies: object }
  const known = new Set([...edges()].map(([, { target }]) => packageOf(target)))
  assert.equal(
    Object.keys(dependencies).filter((name) => !known.has(name)),
    [],
    'unused',
  )
  assert.equal(
    Object.keys(PACKAGES).filter((name) => !Object.hasOwn(dependencies, name)),
    [],
    'not a dependency',
  )
})

test('files and the network are touched only where that is the duty', () => {
  const wrong = [...edges()].filter(([module, { target, typesOnly }]) => {
    const places = NODE_IO[target]
    return places !== undefined && !covers(places, module, typesOnly)
  })
  assert.equal(
    wrong.map(([module, edge]) => arrow(module, edge)),
    [],
  )
})

test('pure rooms are pure: nothing of the machine but crypto, no clock, no environment', () => {
  const pure = [...edges()].filter(([module]) => PURE.includes(roomOf(module)))
  const wrong = pure.filter(([, { target }]) => isNode(target) && !PURE_MAY_USE.includes(target))
  assert.equal(
    wrong.map(([module, edge]) => arrow(module, edge)),
    [],
  )
  const reads = [...texts].filter(
    ([module, text]) =>
      PURE.includes(roomOf(module)) &&
      /\bDate\.now\(|new Date\(\)|\bprocess\.|\bsetTimeout\(|\bfetch\(/.test(text),
  )
  assert.equal(
    reads.map(([module]) => module),
    [],
  )
})

test('the process belongs to the commands: argv, exit, signals and streams; nobody writes to the console', () => {
  const uses = (pattern: RegExp) =>
    [...texts].filter(([, text]) => pattern.test(text)).map(([module]) => module)
  const outside = (module: string) => !covers(['cli', 'index'], module, false)
  assert.equal(uses(/\bprocess\.(argv|exit\w*|on\w*|kill|chdir|cwd|stdin|stdout)\b/).filter(outside), [])
  assert.equal(
    uses(/\bprocess\.(env|stderr)\b/).filter((module) => outside(module) && roomOf(module) !== 'ops'),
    [],
  )
  assert.equal(uses(/\bconsole\./), [])
})

test('commands that need no server load none', () => {
  const loads = (module: string, seen = new Set<string>()): Set<string> => {
    for (const { target, typesOnly, dynamic } of modules.get(module) ?? []) {
      if (typesOnly || dynamic || seen.has(target)) continue
      seen.add(target)
      loads(target, seen)
    }
    return seen
  }
  for (const command of ['index', 'cli/validate', 'cli/schema', 'cli/help']) {
    assert.ok(modules.has(command), command)
    const packages = [...loads(command)].map(packageOf).filter((name) => HEAVY.includes(name))
    assert.equal(packages, [], command)
  }
})

test.run()
