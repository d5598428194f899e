// `mcp-oauth-gateway schema`: the JSON Schema of the configuration as one document that refers to no other, or as a page.
import { writeFileSync } from 'node:fs'
import { bundleSchema } from '../config/schema.ts'
import { readArgs } from './args.ts'
import { unwritable } from './config-file.ts'
import { EXIT } from './exit.ts'

const options = { out: { type: 'string' }, markdown: { type: 'boolean' } } as const

export async function run(args: string[]): Promise<number> {
  const { out, markdown } = readArgs(args, options).values
  const text = markdown === true ? await page() : `${JSON.stringify(bundleSchema(), null, 2)}\n`
  if (out === undefined) {
    process.stdout.write(text)
    return EXIT.ok
  }
  try {
    writeFileSync(out, text)
  } catch (error) {
    process.stderr.write(`${unwritable(out, error)}\n`)
    return EXIT.unreadable
  }
  process.stdout.write(`${out}: written\n`)
  return EXIT.ok
}

async function page(): Promise<string> {
  const { schemaMarkdown } = await import('./schema-markdown.ts')
  return schemaMarkdown(bundleSchema())
}
