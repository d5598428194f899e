// `mcp-oauth-gateway reload`: makes the running gateway read its file now, and shows what came of it.
import { formatPlan } from '../config/plan/pretty.ts'
import { ask } from '../control/client.ts'
import type { ReloadAnswer } from '../control/protocol.ts'
import { readArgs } from './args.ts'
import { configFile, readConfigText } from './config-file.ts'
import { EXIT } from './exit.ts'
import { printProblems } from './print-problems.ts'
import { json, painterFor } from './style.ts'

const options = { config: { type: 'string', short: 'c' }, json: { type: 'boolean' } } as const

export async function run(args: string[]): Promise<number> {
  const { values } = readArgs(args, options)
  const file = configFile(values.config, process.env)
  const { generation: before } = await ask(file, process.env, 'GET /config')
  const answer = await ask(file, process.env, 'POST /reload')
  if (values.json) process.stdout.write(json(answer))
  else await tell(answer, file, before)
  return answer.outcome === 'refused' ? EXIT.failed : EXIT.ok
}

async function tell(answer: ReloadAnswer, file: string, before: number): Promise<void> {
  const { generation } = answer
  if (answer.outcome === 'unchanged') {
    process.stdout.write(`${file} is what runs: generation ${generation} stays.\n`)
    return
  }
  if (answer.outcome === 'applied') {
    const against = `generation ${before}`
    const plan = answer.plan && formatPlan(answer.plan, against, painterFor(process.stdout))
    process.stdout.write(`${plan ?? ''}Applied: generation ${generation} runs.\n`)
    return
  }
  const { problems, reason } = answer
  if (problems.length === 0) process.stderr.write(`${reason}\n`)
  else {
    // The frames are cut here: what they may show depends on the text alone.
    const text = await readConfigText(file).catch(() => undefined)
    const texts = new Map(text ? problems.map((problem) => [problem.file, text.text]) : [])
    printProblems(problems, texts, process.stderr)
  }
  process.stderr.write(`\nRefused: generation ${generation} goes on.\n`)
}
