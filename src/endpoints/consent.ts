// POST /login and POST /consent: the answer to screen 1. Signs the person in if need be; a yes goes on in approve.ts.
import { LoginRefused, OAuthError, PageError } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Login, Subject } from '../slots.ts'
import { type Approver, approve, endWith, tellClient } from './approve.ts'
import { consentReply } from './consent-reply.ts'
import type { Handle } from './endpoint.ts'
import { epochOf } from './known-subjects.ts'
import { currentSession, endSession, startSession } from './sessions.ts'
import { checkCsrf, checkStillSo, checkSubmission, type Submission } from './submission.ts'

/** The form with a password: its token does not depend on who is signed in, since the password decides. */
export const login: Handle = async (request, gateway, deps) => {
  const submission = await checkSubmission(request, gateway, deps)
  const { entry, route } = submission
  checkCsrf(submission, undefined)
  if (submission.form.get('decision') === 'deny') return deny(submission)
  await checkStillSo(entry.value, route, gateway, deps)
  try {
    return await approve(submission, await signIn(submission))
  } catch (error) {
    if (error instanceof LoginRefused) return await askAgain(submission, error)
    throw error
  }
}

/** The form of somebody who is signed in already, or of nobody where nobody is asked. */
export const consent: Handle = async (request, gateway, deps) => {
  const submission = await checkSubmission(request, gateway, deps)
  const { entry, route } = submission
  const session = await currentSession(request, gateway, deps)
  checkCsrf(submission, session?.subject)
  const decision = submission.form.get('decision')
  if (decision === 'switch') return switchAccount(submission)
  if (decision !== 'allow' && decision !== 'relink')
    return session ? denyForGood(submission) : deny(submission)
  await checkStillSo(entry.value, route, gateway, deps)
  return approve(submission, session ?? (await nobody(submission)), decision === 'relink')
}

async function signIn(submission: Submission): Promise<Approver> {
  const { form, gateway, deps } = submission
  const chosen = loginOf(submission, 'password')
  // Read before the password is checked: by the time it is, the name may be another person's.
  const epoch = await epochOf(`${chosen.prefix}${form.get('username') ?? ''}` as Subject, deps)
  const person = { subject: await chosen.submit(form), epoch }
  deps.log.info('signed in', { subject: person.subject })
  return { ...person, cookies: [await startSession(person, chosen, gateway, deps)] }
}

/** Where nobody proves anything, nothing is kept of who does not consent (sec-C16). */
async function nobody(submission: Submission): Promise<Approver> {
  const { form, gateway, deps } = submission
  const chosen = loginOf(submission, 'anonymous')
  const person = { subject: await chosen.submit(form), epoch: 0 }
  return { ...person, begin: () => startSession(person, chosen, gateway, deps) }
}

function loginOf({ gateway }: Submission, kind: Login['prompt']['kind']): Login {
  const chosen = gateway.logins.find(({ prompt }) => prompt.kind === kind)
  if (chosen !== undefined) return chosen
  throw new PageError(400, 'You are not signed in', 'Go back to your client and connect again.')
}

function askAgain({ form, gateway, bound, route, deps }: Submission, refused: LoginRefused): Promise<Reply> {
  deps.log.warn('sign-in refused', { status: refused.status, route: route.name })
  const { retryAfterSeconds } = refused
  return consentReply(gateway, deps, {
    bound,
    route,
    session: undefined,
    cookies: [],
    status: refused.status,
    error: refused.message,
    username: form.get('username'),
    ...(retryAfterSeconds !== undefined && { headers: { 'retry-after': String(retryAfterSeconds) } }),
  })
}

async function switchAccount({ request, gateway, deps, bound, route }: Submission): Promise<Reply> {
  const cookies = [await endSession(request, gateway, deps)]
  return consentReply(gateway, deps, { bound, route, session: undefined, cookies })
}

/** Not written down, since anyone may say no as often as they like (sec-C16): with the cookie gone, the form is worth nothing. */
function deny(submission: Submission): Reply {
  submission.deps.log.info('consent denied', { route: submission.route.name })
  return tellClient(submission, denied(), [])
}

function denyForGood(submission: Submission): Promise<Reply> {
  submission.deps.log.info('consent denied', { route: submission.route.name })
  return endWith(submission, denied(), [])
}

const denied = () => new OAuthError('access_denied', 'the user denied the request')
