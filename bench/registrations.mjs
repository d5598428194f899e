// A flood of registrations: how many a second, what they leave behind, what honest clients notice. `node bench/registrations.mjs [N]`
import { register } from 'tsx/esm/api'

register()
const { describeFlood, flood } = await import('../test/long/flood/flood.ts')
const cleanups = []
try {
  const report = await flood(
    { after: (cleanup) => cleanups.unshift(cleanup) },
    Number(process.argv[2] ?? 100_000),
  )
  console.log(describeFlood(report))
  if (report.failures.length > 0) {
    console.error(report.failures.join('\n'))
    process.exitCode = 1
  }
} finally {
  for (const cleanup of cleanups) await cleanup()
}
