// The one user of a gateway whose configuration names none: from the environment, or with a password made once and kept
// in the state folder. There is no default password.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Environment } from '../environment.ts'
import { hashToken, sameHash } from '../oauth/tokens.ts'
import { namedProfile } from '../policy/profile.ts'
import { assertPrivate, createPrivateFile } from '../store/private-files.ts'
import type { User } from './users.ts'

export interface InitialUser {
  readonly name: string
  readonly password: string
  /** Where the generated password is kept; undefined when it came from the environment. */
  readonly file: string | undefined
}

const DEFAULT_NAME = 'gateway_user'

export async function initialUser(env: Environment, passwordFile: string): Promise<InitialUser> {
  const name = env.MCP_GATEWAY_USERNAME || DEFAULT_NAME
  const password = env.MCP_GATEWAY_PASSWORD
  if (password) return { name, password, file: undefined }
  await createPrivateFile(passwordFile, `${generatePassword()}\n`)
  await assertPrivate(passwordFile)
  return { name, password: (await readFile(passwordFile, 'utf8')).trim(), file: passwordFile }
}

export function asUsers({ name, password }: InitialUser): ReadonlyMap<string, User> {
  // The same letters must match whether a keyboard composes accents or not (RFC 8265 §4.2.1).
  const hash = (text: string) => hashToken(text.normalize('NFC'))
  const expected = hash(password)
  return new Map([
    [
      name,
      {
        profile: namedProfile(name),
        checkPassword: async (given: string) => sameHash(hash(given), expected),
      },
    ],
  ])
}

/** 118 bits in letters that can't be confused when read aloud or typed. */
function generatePassword(): string {
  const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789'
  const letters = [...randomBytes(64)]
    .filter((byte) => byte < alphabet.length * 8)
    .map((byte) => alphabet[byte % alphabet.length])
  return [0, 6, 12, 18].map((from) => letters.slice(from, from + 6).join('')).join('-')
}
