// Is there an MCP server behind a route, and does it want what the route brings? Asked as discovery asks it.
import { keyCredentials } from '../auth/api-key.ts'
import { withQuery } from '../auth/key-check.ts'
import { isKey, needsPerson } from '../config/auth-traits.ts'
import type { RouteConfig } from '../config/types.ts'
import { lowerCaseNames } from '../header-name.ts'
import type { ControlHttp } from '../upstream/http.ts'
import { knock } from '../upstream/probe.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { adviceFor, reasonOf } from './observe.ts'

export async function checkUpstream(scope: string, route: RouteConfig, http: ControlHttp): Promise<Finding> {
  const url = new URL(route.upstream.url)
  try {
    const { status } = await callAt(url, route, http)
    return judgeStatus(scope, url, route, status)
  } catch (error) {
    return fail(scope, `${url.origin} gave no answer: ${reasonOf(error)}`, adviceFor(error))
  }
}

export function judgeStatus(
  scope: string,
  { origin }: URL,
  { auth: { type } }: RouteConfig,
  status: number,
): Finding {
  const general = GENERAL[status]
  if (general) return fail(scope, `${origin} answers ${status}: ${general.message}`, general.advice)
  if (status >= 300 && status < 400)
    return fail(
      scope,
      `${origin} answers with a redirect (${status})`,
      'Write the URL that it redirects to; a slash at the end counts.',
    )
  if (status >= 500)
    return fail(
      scope,
      `${origin} answers ${status}`,
      'It is down for everyone, or overloaded: ask whoever runs it.',
    )
  return BY_AUTH[type](scope, origin, status)
}

const GENERAL: Readonly<Record<number, { readonly message: string; readonly advice: string }>> = {
  404: { message: 'nothing is there', advice: 'Check the path; a slash at the end counts.' },
  405: {
    message: 'it takes no POST',
    advice: 'Check the path: it may be a server of the older SSE transport.',
  },
  410: { message: 'it is gone', advice: 'Ask whoever runs it for the new URL.' },
}

type Judge = (scope: string, origin: string, status: number) => Finding

/** Its tools may still want a token, each by itself. */
const MAYBE_OPEN =
  'Leave auth as it is if any of its tools needs a token. Only a server that is open to everyone takes auth: none.'

/** The gateway has the token, and this asked without one. */
const wantsToken: Judge = (scope, origin, status) =>
  status === 401 || status === 403
    ? ok(scope, `${origin} answers, and wants credentials (${status})`)
    : isGood(status)
      ? warn(scope, `${origin} answers without credentials (${status})`, MAYBE_OPEN)
      : odd(scope, origin, status)

const BY_AUTH: { readonly [T in RouteConfig['auth']['type']]: Judge } = {
  authorization_code: (scope, origin, status) => {
    if (status === 401) return ok(scope, `${origin} answers, and wants a sign-in (401)`)
    return isGood(status)
      ? warn(scope, `${origin} answers without a sign-in (${status})`, MAYBE_OPEN)
      : odd(scope, origin, status)
  },
  client_credentials: wantsToken,
  token_exchange: wantsToken,
  user_api_key: wantsToken,
  api_key: (scope, origin, status) => {
    if (status === 401 || status === 403)
      return fail(
        scope,
        `${origin} refuses the key (${status})`,
        'Check what auth.value stands for, and its name and place.',
      )
    return isGood(status) ? ok(scope, `${origin} answers, and takes the key`) : odd(scope, origin, status)
  },
  none: (scope, origin, status) => {
    if (status === 401 || status === 403)
      return fail(
        scope,
        `${origin} wants a sign-in (${status}), and auth is none`,
        'Write how to sign in under auth.',
      )
    return isGood(status) ? ok(scope, `${origin} answers`) : odd(scope, origin, status)
  },
}

const isGood = (status: number) => status >= 200 && status < 300

const odd: Judge = (scope, origin, status) =>
  warn(
    scope,
    `${origin} answers MCP requests with ${status}`,
    'It may not be an MCP server, or it may need more headers: set upstream.headers.',
  )

/** With the route's own headers and shared key, which go where the operator sends them anyway. */
function callAt(url: URL, { auth, upstream }: RouteConfig, http: ControlHttp) {
  const sent = isKey(auth) && !needsPerson(auth) ? keyCredentials(auth, auth.value) : { headers: {} }
  return knock(http, withQuery(url, sent), { ...lowerCaseNames(upstream.headers), ...sent.headers })
}
