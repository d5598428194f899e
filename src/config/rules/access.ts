// Rules about who may use a route: every name under `access` is one that somebody can have.
import { mayUse } from '../../policy/access.ts'
import { userProfile } from '../../policy/profile.ts'
import { childPointer } from '../pointer.ts'
import { didYouMean } from '../suggest.ts'
import type { AccessDeny, AccessRules, UserConfig } from '../types.ts'
import { allKnown, type Facts, type NamedRoute, type Rule, routesOf } from './rule.ts'

const knownUsers: Rule = {
  id: 'access/unknown-user',
  severity: 'warning',
  *check(facts) {
    const { config, env, known, names } = facts
    if (!known('/login/users')) return
    // Without `login.users` the one user's name comes from the environment.
    const users = config.login.users
      ? names('/login/users')
      : env && [env.MCP_GATEWAY_USERNAME || 'gateway_user']
    if (users) yield* unlisted(facts, namesIn('users'), { noun: 'user', known: users })
  },
}

const knownGroups: Rule = {
  id: 'access/unknown-group',
  severity: 'warning',
  needs: ['/login/users', '/trusted_issuers'],
  *check(facts) {
    const groups = usersOf(facts).flatMap((user) => user.groups)
    yield* unlisted(facts, fromLogin(facts, namesIn('groups')), { noun: 'group', known: groups })
  },
}

const knownDomains: Rule = {
  id: 'access/unknown-email-domain',
  severity: 'warning',
  needs: ['/login/users', '/trusted_issuers'],
  *check(facts) {
    const domains = usersOf(facts).map(({ email = '' }) => email.slice(email.lastIndexOf('@') + 1))
    const listed = fromLogin(facts, namesIn('email_domains'))
    yield* unlisted(facts, (route) => listed(route).map(inLowerCase), {
      noun: 'user with an address at',
      known: domains.map((domain) => domain.toLowerCase()),
    })
  },
}

const inLowerCase = ({ name, pointer }: Listed): Listed => ({ name: name.toLowerCase(), pointer })

const knownClaims: Rule = {
  id: 'access/unknown-claim',
  severity: 'warning',
  needs: ['/login/users', '/trusted_issuers'],
  *check(facts) {
    const claims = usersOf(facts).flatMap((user) => Object.keys(user.claims))
    yield* unlisted(facts, fromLogin(facts, claimsIn), { noun: 'user with the claim', known: claims })
  },
}

const knownClients: Rule = {
  id: 'access/unknown-client',
  severity: 'warning',
  needs: ['/trusted_issuers'],
  *check(facts) {
    const machines = Object.entries(facts.config.clients.static).filter(
      ([id, client]) =>
        client.grant_types.includes('client_credentials') ||
        !facts.known(`${childPointer('/clients/static', id)}/grant_types`),
    )
    // One that the schema refused is there all the same.
    const refused = facts
      .names('/clients/static')
      .filter((id) => !Object.hasOwn(facts.config.clients.static, id))
    // The issuer alone knows its clients. They get in by their subject; denied is whoever comes with one.
    const ours: ListedIn = (route) =>
      namesIn('clients')(route).filter(
        ({ name, pointer }) =>
          !name.startsWith('oidc/') &&
          !(pointer.startsWith(`${route.pointer}/access/deny/`) && issuersVouch(facts, route)),
      )
    yield* unlisted(facts, ours, {
      noun: 'machine client',
      known: [...machines.map(([id]) => id), ...refused],
      section: 'clients.static',
    })
  },
}

/** The other way round: who is listed, and admitted nowhere. */
const userWithoutRoute: Rule = {
  id: 'access/user-without-route',
  severity: 'warning',
  needs: ['/login/users', '/routes', '/defaults', '/trusted_issuers'],
  *check(facts) {
    const routes = routesOf(facts).filter(({ route }) => route.token_issuer === undefined)
    const users = Object.entries(facts.config.login.users ?? {})
    const names = new Set(users.map(([name]) => name))
    const groups = new Set(users.flatMap(([, user]) => user.groups))
    // A list that is not known may name anybody; one with a stranger in it is a mistake of its own.
    const isSound = (route: NamedRoute) =>
      allKnown(facts, `${route.pointer}/access`, route.route.access) &&
      namesIn('users')(route).every(({ name }) => names.has(name)) &&
      fromLogin(facts, namesIn('groups'))(route).every(({ name }) => groups.has(name))
    if (!routes.every(isSound)) return
    // Most routes say the same.
    const policies = [
      ...new Map(routes.map(({ route: { access } }) => [JSON.stringify(access), access])).values(),
    ]
    for (const [name, user] of users) {
      if (policies.some((access) => mayUse(access, userProfile(name, user)))) continue
      yield {
        pointer: childPointer('/login/users', name),
        at: 'key',
        message: 'no route admits this user',
        hint: 'Name the user or one of their groups under access, or remove them.',
      }
    }
  },
}

interface Listed {
  readonly name: string
  readonly pointer: string
}

/** What a route's `access` names, and where. */
type ListedIn = (route: NamedRoute) => readonly Listed[]

interface Expected {
  readonly noun: string
  readonly known: readonly string[]
  readonly section?: string
}

function* unlisted(facts: Facts, listed: ListedIn, { noun, known, section = 'login' }: Expected) {
  const all = new Set(known)
  for (const { name, pointer } of routesOf(facts).flatMap(listed)) {
    if (all.has(name) || !facts.known(pointer)) continue
    yield {
      pointer,
      message: `${section === 'login' ? 'login' : section} has no ${noun} "${name}"`,
      hint: didYouMean(name, [...all]) ?? `Add it under ${section}, or remove it.`,
    }
  }
}

/** Only where nobody but the users of `login` can come in: what an issuer may say is not known here. */
function fromLogin(facts: Facts, listed: ListedIn): ListedIn {
  return (named) => (issuersVouch(facts, named) ? [] : listed(named))
}

function issuersVouch({ config }: Facts, { route }: NamedRoute): boolean {
  const assertions = Object.values(config.trusted_issuers).some(({ id_jag: idJag }) => idJag)
  return assertions || route.token_issuer !== undefined
}

type NameList = Exclude<keyof AccessRules & keyof AccessDeny, 'claims'>

function namesIn(list: NameList): ListedIn {
  return ({ pointer, route: { access } }) => {
    if (access === 'anyone') return []
    const at = (names: readonly string[] = [], prefix: string) =>
      names.map((name, index) => ({ name, pointer: `${pointer}/access/${prefix}${list}/${index}` }))
    return [...at(access[list], ''), ...at(access.deny?.[list], 'deny/')]
  }
}

const claimsIn: ListedIn = ({ pointer, route: { access } }) => {
  if (access === 'anyone') return []
  const at = (claims: AccessRules['claims'] = {}, prefix: string) =>
    Object.keys(claims).map((name) => ({
      name,
      pointer: childPointer(`${pointer}/access/${prefix}claims`, name),
    }))
  return [...at(access.claims, ''), ...at(access.deny?.claims, 'deny/')]
}

const usersOf = ({ config }: Facts): readonly UserConfig[] => Object.values(config.login.users ?? {})

export const accessRules = [
  knownUsers,
  knownGroups,
  knownDomains,
  knownClaims,
  knownClients,
  userWithoutRoute,
]
