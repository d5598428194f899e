// `mcp-oauth-gateway hash-password`: asks for a password without showing it, prints its hash and nothing else.
import { text } from 'node:stream/consumers'
import { hashPassword, MAX_PASSWORD_BYTES } from '../login/password.ts'
import { readArgs } from './args.ts'
import { EXIT } from './exit.ts'
import { askHidden } from './prompt.ts'

export async function run(args: string[]): Promise<number> {
  readArgs(args, {})
  const answer = process.stdin.isTTY ? await askTwice() : await readStdin()
  const refusal = 'refusal' in answer ? answer.refusal : whyNot(answer.password)
  if ('refusal' in answer || refusal !== undefined) {
    process.stderr.write(`${refusal}\n`)
    return EXIT.failed
  }
  process.stdout.write(`${await hashPassword(answer.password)}\n`)
  return EXIT.ok
}

type Answer = { readonly password: string } | { readonly refusal: string }

/** The newline that `echo` and editors add is no part of the password. */
async function readStdin(): Promise<Answer> {
  return { password: (await text(process.stdin)).replace(/\r?\n$/, '') }
}

async function askTwice(): Promise<Answer> {
  const password = await askHidden('Password: ')
  const again = password === undefined ? undefined : await askHidden('Again: ')
  if (password === undefined || again === undefined) return { refusal: 'No password was given.' }
  return password === again ? { password } : { refusal: 'The two passwords differ.' }
}

function whyNot(password: string): string | undefined {
  if (password === '') return 'The password is empty.'
  if (/[\r\n]/.test(password)) return 'The password has a line break in it; a sign-in form cannot send one.'
  const isLong = Buffer.byteLength(password) > MAX_PASSWORD_BYTES
  return isLong ? `The password is longer than ${MAX_PASSWORD_BYTES} bytes.` : undefined
}
