// Login `users`: a name and a password. Which names there are, and how a password is checked, is handed in.
import { LoginRefused } from '../errors.ts'
import type { Login, Profile, Subject } from '../slots.ts'

export interface User {
  /** What is known of this person, as access rules see it. */
  readonly profile: Profile
  readonly checkPassword: (password: string) => Promise<boolean>
}

export interface UsersOptions {
  readonly users: ReadonlyMap<string, User>
  readonly sessionTtlMs: number
  readonly throttle: Throttle
  /** Takes as long as a real check and always fails, so that timing does not tell which names exist (sec-L5). */
  readonly checkNobody: (password: string) => Promise<boolean>
}

/** Slows guessing down. Outlives generations: an edit of the configuration must not reset it. */
export interface Throttle {
  /** Throws LoginRefused while this account has to wait. */
  check(account: string): void
  failed(account: string): void
  succeeded(account: string): void
}

const PREFIX = 'users/'
const MAX_NAME_LENGTH = 256
const MAX_PASSWORD_LENGTH = 1024

const subjectOf = (name: string) => `${PREFIX}${name}` as Subject
const wrong = () => new LoginRefused('The user name or the password is wrong.')

export function usersLogin({ users, sessionTtlMs, throttle, checkNobody }: UsersOptions): Login {
  return {
    prefix: PREFIX,
    reusableNames: new Set([...users.keys()].map(subjectOf)),
    prompt: { kind: 'password' },
    sessionTtlMs,

    async submit(form) {
      const name = form.get('username') ?? ''
      const password = form.get('password') ?? ''
      // Nobody's honest input, and no reason to remember the name.
      if (name.length > MAX_NAME_LENGTH || password.length > MAX_PASSWORD_LENGTH) throw wrong()
      throttle.check(name)
      const check = users.get(name)?.checkPassword ?? checkNobody
      if (!(await check(password))) {
        throttle.failed(name)
        throw wrong()
      }
      throttle.succeeded(name)
      return subjectOf(name)
    },

    profile(subject) {
      const name = subject.slice(PREFIX.length)
      return users.get(name)?.profile
    },
  }
}
