// Argon2id password hashes in PHC form, with a bound on how many are computed at once. Knows no users and no pages.
import { hash, verify } from '@node-rs/argon2'
import { UnavailableError } from '../errors.ts'

/** What OWASP asks of Argon2id, the library's default algorithm: 19 MiB, two passes, one lane. */
const PARAMETERS = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 } as const

/** Each hash holds a core for tens of milliseconds: unbounded, guesses from many addresses would starve the proxy. */
const MAX_RUNNING = 2
const MAX_WAITING = 16

/** Longer input is never a password, only work for the hash. */
export const MAX_PASSWORD_BYTES = 1024

/** A hash nobody knows the password of: an unknown name must take as long as a wrong password. */
const DECOY =
  '$argon2id$v=19$m=19456,t=2,p=1$GUvH5s9uAIs5xZ6KvErB6A$oaCE6y8tmCpS5+iuS6E2xrTrbLLPlP66KktLG2pZAZ4'

/** Too many passwords are being checked. */
export class PasswordsBusy extends UnavailableError {
  override readonly name = 'PasswordsBusy'

  constructor() {
    super('too many people are signing in at once: try again in a moment', {}, 1)
  }
}

export function hashPassword(password: string): Promise<string> {
  return gated(() => hash(normalise(password), PARAMETERS))
}

/** Without a hash (no such user) it does the same work and says no. */
export async function verifyPassword(phc: string | undefined, password: string): Promise<boolean> {
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) return false
  const fits = await gated(() => verify(phc ?? DECOY, normalise(password)))
  return fits && phc !== undefined
}

/** The same letters must match whether a keyboard composes accents or not (RFC 8265 §4.2.1). */
const normalise = (password: string) => password.normalize('NFC')

let running = 0
const waiting: (() => void)[] = []

async function gated<T>(work: () => Promise<T>): Promise<T> {
  if (running >= MAX_RUNNING) await turn()
  else running += 1
  try {
    return await work()
  } finally {
    const next = waiting.shift()
    // The place is handed on, not given back: nobody who arrives in between can take it.
    if (next) next()
    else running -= 1
  }
}

function turn(): Promise<void> {
  if (waiting.length >= MAX_WAITING) throw new PasswordsBusy()
  return new Promise((resolve) => waiting.push(resolve))
}
