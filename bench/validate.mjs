// `node bench/validate.mjs [RUNS]` after `npm run build`: how long a cold `validate` takes as a whole process, side by
// side with `node -e 0`, which is the floor. Runs are interleaved, so that a busy machine slows all of them alike.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const RUNS = Math.max(15, Number(process.argv[2] ?? 15))
const entry = fileURLToPath(new URL('../dist/index.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'gateway-bench-'))

const ROUTES = [
  (name) => `  ${name}:
    upstream: https://${name}.example.com/mcp
    auth: { type: authorization_code, authorization_server: github, scope: repo read:user }
    access: { groups: [platform] }`,
  (name) => `  ${name}:
    upstream: { url: "https://${name}.example.com/mcp", headers: { X-Team: a } }
    auth: { type: api_key, name: Authorization, value: "Bearer \${API_KEY}" }`,
  (name) => `  ${name}:
    path: /open/${name}
    upstream: https://${name}.example.com/mcp
    auth: none`,
]

const config = (count) => `version: 1
server: { public_url: https://mcp.example.com }
login:
  users:
    alice: { password_hash: "\${ALICE_HASH}", groups: [platform] }
authorization_servers:
  github:
    authorization_endpoint: https://github.com/login/oauth/authorize
    token_endpoint: https://github.com/login/oauth/access_token
    client_id: "\${GITHUB_CLIENT_ID}"
    client_secret: "\${GITHUB_CLIENT_SECRET}"
routes:
${Array.from({ length: count }, (_, index) => ROUTES[index % ROUTES.length](`r${index}`)).join('\n')}
`

const file = (name, text) => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const subjects = [
  { name: 'node -e 0', args: ['-e', '0'], code: 0 },
  {
    name: 'validate, 20 routes',
    args: [entry, 'validate', file('20.yaml', config(20))],
    code: 0,
    limit: 200,
  },
  {
    name: 'validate, 20 routes, 6 errors',
    args: [entry, 'validate', file('bad.yaml', config(20).replaceAll('auth: none', 'auth: nne'))],
    code: 1,
  },
  {
    name: 'validate, 1000 routes',
    args: [entry, 'validate', file('1000.yaml', config(1000))],
    code: 0,
    limit: 1000,
  },
]

const times = new Map(subjects.map(({ name }) => [name, []]))
for (let run = 0; run < RUNS; run++) {
  for (const { name, args, code } of subjects) {
    const start = process.hrtime.bigint()
    const { status, stderr } = spawnSync(process.execPath, args, { env: { PATH: process.env.PATH } })
    const ms = Number(process.hrtime.bigint() - start) / 1e6
    if (status !== code) throw new Error(`${name} ended with ${status}: ${stderr}`)
    times.get(name).push(ms)
  }
}
rmSync(folder, { recursive: true })

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]
const round = (ms) => `${ms.toFixed(0)} ms`.padStart(9)
console.log(`Node ${process.version}, ${RUNS} interleaved runs, whole process, wall clock\n`)
console.log(`${'subject'.padEnd(32)}${'fastest'.padStart(9)}${'median'.padStart(9)}${'limit'.padStart(9)}`)
for (const { name, limit } of subjects) {
  const list = times.get(name)
  console.log(
    name.padEnd(32) +
      round(Math.min(...list)) +
      round(median(list)) +
      (limit ? round(limit) : ''.padStart(9)),
  )
}
