// 1,000 reloads in a row under load: failed requests (0), memory (flat), time per reload. `node bench/reload.mjs [N]`
import { register } from 'tsx/esm/api'

register()
const { reloadUnderLoad } = await import('../test/reload/under-load.ts')
const cleanups = []
const context = { after: (cleanup) => cleanups.unshift(cleanup) }
try {
  const { reloads, requests, failures, rssMiB, reloadMs, descriptors } = await reloadUnderLoad(
    context,
    Number(process.argv[2] ?? 1_000),
  )
  const at = (share) => `${reloadMs[Math.floor((reloadMs.length - 1) * share)]?.toFixed(1)} ms`
  console.log(`reloads          ${reloads}`)
  console.log(`requests         ${requests}, failed ${failures.length}`)
  console.log(`time per reload  median ${at(0.5)}, 99% ${at(0.99)}, slowest ${at(1)}`)
  console.log(`RSS in MiB       ${rssMiB.join(' ')}`)
  console.log(`descriptors      ${descriptors.before} before, ${descriptors.after} after`)
  if (failures.length > 0) process.exitCode = 1
} finally {
  for (const cleanup of cleanups) await cleanup()
}
