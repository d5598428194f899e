// `npm start`: the demo upstream and the gateway in front of it, and an end to both. It configures nothing: what
// the gateway serves is in gateways.yaml.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DEFAULT_PORT, startDemoUpstream } from './demo-upstream/index.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const entry = fileURLToPath(new URL('../dist/index.js', import.meta.url))
const port = Number(process.env.DEMO_PORT ?? DEFAULT_PORT)

if (!(Number.isInteger(port) && port >= 0 && port <= 65_535))
  giveUp(`DEMO_PORT is no port: write a number from 0 to 65535, or unset it for ${DEFAULT_PORT}.`)
if (!existsSync(entry)) giveUp('dist/ is missing. Run `npm run build` first, or use `npm start`.')
// Beside the gateway's state: what one of them remembers the other must not have forgotten.
const { stateFolder } = await import('../dist/store/state-folder.js')
const file = join(stateFolder(`demo-upstream-${port}`, process.env, process.platform), 'records.json')
const demo = await startDemoUpstream({ port, file }).catch((error) => {
  if (error.code !== 'EADDRINUSE') throw error
  giveUp(`Port ${port} is taken, and the demo upstream needs it: is another \`npm start\` running?
Set DEMO_PORT to use another one.`)
})
console.error(`Demo upstream at ${demo.url}: sign in there with any name.`)

const gateway = spawn(process.execPath, [entry, '--config', 'gateways.yaml', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
})
process.on('exit', () => gateway.kill())
// A terminal sends Ctrl-C to the gateway as well; sent twice, it would cut the gateway's own ending short.
process.on('SIGINT', () => process.stdin.isTTY || gateway.kill('SIGINT'))
process.on('SIGTERM', () => gateway.kill('SIGTERM'))
process.on('SIGHUP', () => gateway.kill('SIGTERM'))

gateway.on('exit', async (code, signal) => {
  await demo.close()
  process.exit(code ?? 128 + constants.signals[signal])
})

function giveUp(message) {
  console.error(message)
  process.exit(1)
}
