// Can tokens of a trusted issuer be verified, and can clients get them there? Its metadata and its keys, as every request
// would look for them, and what MCP clients need of an authorization server to sign in at.
import type { Config } from '../config/types.ts'
import { discoverServer } from '../upstream/discovery.ts'
import type { ControlHttp } from '../upstream/http.ts'
import { surveyKeys } from '../upstream/issuer-keys.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { whyNot } from './observe.ts'

export interface IssuerQuestion {
  readonly scope: string
  readonly issuer: Config['trusted_issuers'][string]
  /** Routes whose clients get their tokens there. */
  readonly signInAt: readonly string[]
}

export async function checkIssuer(question: IssuerQuestion, http: ControlHttp): Promise<Finding[]> {
  const checks = [
    checkKeys(question, http),
    ...(question.signInAt.length > 0 ? [checkClients(question, http)] : []),
  ]
  return Promise.all(checks)
}

async function checkKeys({ scope, issuer }: IssuerQuestion, http: ControlHttp): Promise<Finding> {
  const named = issuer.algorithms.join(', ')
  try {
    const { url, count, algorithms } = await surveyKeys(http, issuer)
    const keys = `${count} key${count === 1 ? '' : 's'} at ${url}`
    return algorithms.length > 0
      ? ok(scope, `${keys}, for ${algorithms.join(', ')}`)
      : fail(
          scope,
          `none of ${keys} is for ${named}, so every token is refused`,
          'Add the algorithm that it signs with to algorithms, or correct jwks_uri.',
        )
  } catch (error) {
    return fail(scope, whyNot(error), 'Check issuer; write its jwks_uri where it publishes no metadata.')
  }
}

/** Whether a client that knows nothing but the route finds its way there. Clients that were set up by hand may not need it. */
async function checkClients(
  { scope, issuer: { issuer }, signInAt }: IssuerQuestion,
  http: ControlHttp,
): Promise<Finding> {
  const clients = `clients of ${signInAt.join(', ')}`
  try {
    const { registrationEndpoint, clientDocuments } = await discoverServer(http, issuer, 'configured')
    const isOpen = registrationEndpoint !== undefined || clientDocuments === true
    return ok(
      scope,
      isOpen ? `${clients} sign in there` : `${clients} need a client_id of it: it takes no registrations`,
    )
  } catch (error) {
    return warn(
      scope,
      `${clients} cannot sign in there: ${whyNot(error)}`,
      'Only programs that were given a token get in. MCP clients need its metadata, with PKCE S256.',
    )
  }
}
