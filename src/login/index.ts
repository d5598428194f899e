// The logins of one generation, from `login` in the configuration, or the one user there is without it.
import type { LoginConfig } from '../config/types.ts'
import { userProfile } from '../policy/profile.ts'
import type { Login } from '../slots.ts'
import { noneLogin } from './none.ts'
import { verifyPassword } from './password.ts'
import { type Throttle, type User, usersLogin } from './users.ts'

export function buildLogins(
  login: LoginConfig,
  initialUser: ReadonlyMap<string, User> | undefined,
  throttle: Throttle,
): readonly Login[] {
  const users = login.users === undefined ? initialUser : configuredUsers(login.users)
  const { ttl_ms: sessionTtlMs } = login.session
  // As long as a real check takes, so that timing does not tell which names exist: the first user's is a mere comparison.
  const checkNobody =
    login.users === undefined ? async () => false : (password: string) => verifyPassword(undefined, password)
  return [
    ...(users === undefined ? [] : [usersLogin({ users, sessionTtlMs, throttle, checkNobody })]),
    ...(login.none === undefined ? [] : [noneLogin()]),
  ]
}

function configuredUsers(users: NonNullable<LoginConfig['users']>): ReadonlyMap<string, User> {
  return new Map(
    Object.entries(users).map(([name, user]) => [
      name,
      {
        profile: userProfile(name, user),
        checkPassword: (password: string) => verifyPassword(user.password_hash, password),
      },
    ]),
  )
}
