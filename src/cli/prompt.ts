// Asks for one line on the terminal without showing what is typed. The question goes to stderr: stdout is for results.
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

/** Undefined when the person gave up: ^C, or the end of input. */
export async function askHidden(question: string): Promise<string | undefined> {
  // readline edits the line (backspace, ^U, ^C) and echoes it here, into nothing. It has to take the terminal over
  // before the question is seen, or the terminal echoes what a quick person types.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 })
  const gaveUp = new Promise<undefined>((resolve) => {
    for (const event of ['SIGINT', 'close']) lines.once(event, () => resolve(undefined))
  })
  process.stderr.write(question)
  const answer = await Promise.race([lines.question(''), gaveUp])
  lines.close()
  process.stderr.write('\n')
  return answer
}
