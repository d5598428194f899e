// Rules about `tests`: every sentence can be read, and says what is true of the configuration beside it.
import { machineProfiles, machineSubject } from '../../oauth/machine.ts'
import { namedProfile, userProfile } from '../../policy/profile.ts'
import { childPointer } from '../pointer.ts'
import { isReserved } from '../rules/routes.ts'
import { allKnown, type Facts, type Rule, routesOf, type Violation } from '../rules/rule.ts'
import { didYouMean } from '../suggest.ts'
import { type Judgement, judge, type Named, type World } from './judge.ts'
import { type CallerKind, type Example, readSentence, type Unreadable } from './sentence.ts'

const readable: Rule = {
  id: 'tests/sentence',
  severity: 'error',
  *check(facts) {
    for (const { pointer, said } of sentences(facts)) {
      const wrong = said.kind === 'unreadable' ? said : unanswerable(said)
      if (wrong) yield { pointer, message: wrong.message, hint: wrong.hint }
    }
  },
}

const failed: Rule = {
  id: 'tests/failed',
  severity: 'error',
  // What the schema refused would look like what nobody wrote.
  needs: ['/routes', '/defaults', '/login/users', '/clients/static'],
  *check(facts) {
    const world = worldOf(facts)
    for (const { pointer, said } of sentences(facts)) {
      if (said.kind === 'unreadable' || unanswerable(said) || !isDecided(facts, said)) continue
      const wrong = judge(said, world).find(({ found }) => found !== said.expected)
      if (wrong) yield violation(facts, pointer, said, wrong)
    }
  },
}

function violation(facts: Facts, pointer: string, said: Example, wrong: Judgement): Violation {
  const message = `expected ${said.expected}, found ${wrong.found}: ${wrong.because}`
  return { pointer, message, hint: mistyped(facts, said, wrong) ?? suggestion(facts, wrong) }
}

function mistyped({ config }: Facts, said: Example, { found }: Judgement): string | undefined {
  if (found === 404)
    return said.kind === 'request'
      ? didYouMean(
          said.path,
          Object.values(config.routes).map(({ path }) => path),
        )
      : didYouMean(said.route ?? '', Object.keys(config.routes))
  const named = namedIn(said)
  if (found !== 401 || named === undefined) return undefined
  const known = namesOf(config, named.kind)
  return known.includes(named.name) ? undefined : didYouMean(named.name, known)
}

function namedIn(said: Example): Named | undefined {
  if (said.kind !== 'request') return said
  return said.user === undefined ? undefined : { kind: 'user', name: said.user }
}

const namesOf = ({ login, clients }: Facts['config'], kind: CallerKind): string[] =>
  Object.keys(kind === 'user' ? (login.users ?? {}) : clients.static)

function suggestion(facts: Facts, { access }: Judgement): string {
  if (access === undefined) return 'Change the sentence, or what it speaks of.'
  const place = facts.place(childPointer(childPointer('/routes', access), 'access'))
  return `Change ${place} or the sentence, whichever is wrong.`
}

function sentences({ config, known }: Facts) {
  return config.tests.flatMap((text, index) => {
    const pointer = `/tests/${index}`
    return known(pointer) ? [{ pointer, said: readSentence(text) }] : []
  })
}

/** What the gateway serves itself does not follow from routes. */
function unanswerable(said: Example): Unreadable | undefined {
  if (said.kind !== 'request' || !isReserved(said.path.split('?', 1)[0] ?? '')) return undefined
  const message = `${said.path} belongs to the gateway itself`
  return { kind: 'unreadable', message, hint: 'Sentences are about routes and about paths that nobody has.' }
}

/** Without `login.users` there is one user, and without the environment any name may be theirs. */
function worldOf({ config, env }: Facts): World {
  const { users } = config.login
  const machines = machineProfiles(config.clients.static)
  const only = env && (env.MCP_GATEWAY_USERNAME || 'gateway_user')
  return {
    routes: config.routes,
    profile({ kind, name }) {
      if (kind === 'client') return machines.get(machineSubject(name))
      if (users === undefined) {
        const exists = config.login.none === undefined && (only === undefined || only === name)
        return exists ? namedProfile(name) : undefined
      }
      const user = Object.hasOwn(users, name) ? users[name] : undefined
      return user && userProfile(name, user)
    },
  }
}

/** Whether all it depends on is written out. A `${…}` left alone decides nothing: serve judges it again. */
function isDecided(facts: Facts, said: Example): boolean {
  const named = namedIn(said)
  const user = named?.kind === 'user' ? named.name : ''
  return (
    allKnown(facts, childPointer('/login/users', user), judgedOf(facts, user)) &&
    routesOf(facts).every(
      ({ pointer, route }) =>
        facts.known(`${pointer}/path`) && allKnown(facts, `${pointer}/access`, route.access),
    )
  )
}

/** What `access` looks at: an address that only a variable knows matters where somebody asks for addresses. */
function judgedOf({ config: { login, routes } }: Facts, user: string): object {
  const { groups, email, claims } = login.users?.[user] ?? {}
  const lists = Object.values(routes).flatMap(({ access }) =>
    access === 'anyone' ? [] : [access, access.deny ?? {}],
  )
  const isAsked = (list: 'email_domains' | 'claims') => lists.some((one) => one[list] !== undefined)
  return { groups, ...(isAsked('email_domains') && { email }), ...(isAsked('claims') && { claims }) }
}

export const exampleRules = [readable, failed]
