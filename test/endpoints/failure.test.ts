// Errors as answers: what each audience reads, and what nobody reads.
import * as assert from 'uvu/assert'
import { failureReply } from '../../src/endpoints/failure.ts'
import {
  errorFields,
  HttpError,
  type LogDetail,
  OAuthError,
  PageError,
  UpstreamError,
} from '../../src/errors.ts'
import { PasswordsBusy } from '../../src/login/password.ts'
import { silentLog } from '../../src/ops/log.ts'
import type { Reply } from '../../src/reply.ts'
import { Page } from '../support/page.ts'
import { suite } from '../support/suite.ts'

const test = suite('endpoints/failure')

interface Told {
  reply: Reply
  log: [level: string, event: string, fields: LogDetail | undefined][]
}
function fail(thrown: unknown, audience: 'browser' | 'client', headers: Record<string, string> = {}): Told {
  const log: Told['log'] = []
  const write = (level: string) => (event: string, fields?: LogDetail) => log.push([level, event, fields])
  const context = {
    audience,
    path: '/authorize',
    brand: 'MCP gateway',
    headers,
    log: { ...silentLog, info: write('info'), error: write('error') },
  }
  return { reply: failureReply(thrown, context), log }
}
const shown = ({ reply }: Told) =>
  new Page(new URL('http://localhost/authorize'), reply.status, {}, reply.body)

const busy = new PasswordsBusy()
const refusals: [name: string, error: Error, status: number, code: string][] = [
  [
    'an OAuth error',
    new OAuthError('invalid_grant', 'the code is not valid', { reason: 'replayed' }),
    400,
    'invalid_grant',
  ],
  ['an unknown client', new OAuthError('invalid_client', 'unknown client'), 401, 'invalid_client'],
  ['a page', new PageError(409, 'Already used', 'go back'), 409, 'invalid_request'],
  ['a fault of the upstream', new UpstreamError('timeout', 'no answer'), 504, 'temporarily_unavailable'],
  ['a request in plain HTTP', new HttpError(421, 'not here'), 421, 'invalid_request'],
  ['too many passwords', busy, 503, 'temporarily_unavailable'],
  [
    'the framework’s refusal',
    Object.assign(new Error('FST_ERR_CTP_BODY_TOO_LARGE'), { statusCode: 413 }),
    413,
    'invalid_request',
  ],
]

for (const [name, error, status, code] of refusals) {
  test(`${name}: JSON for a client, a page for a person, both with its status`, () => {
    const client = fail(error, 'client')
    assert.is(client.reply.status, status)
    assert.is(JSON.parse(client.reply.body).error, code)
    assert.is(client.reply.headers['cache-control'], 'no-store')
    const browser = fail(error, 'browser')
    assert.is(
      browser.reply.status,
      status === 401 ? 400 : status,
      'a 401 without a challenge is no answer for a browser',
    )
    assert.match(browser.reply.headers['content-type'] ?? '', 'text/html')
    assert.is(shown(browser).root.querySelectorAll('h1').length, 1)
    assert.is(browser.reply.headers['x-frame-options'], 'DENY')
  })
}

test('the detail is for the log, the description for everybody', () => {
  const { reply, log } = fail(
    new OAuthError('invalid_grant', 'not valid', { reason: 'detail-canary' }),
    'client',
  )
  assert.equal(JSON.parse(reply.body), { error: 'invalid_grant', error_description: 'not valid' })
  assert.match(JSON.stringify(log), 'detail-canary')
})

test('sec-O4: what was not foreseen says nothing outside and everything in the log', () => {
  const thrown: unknown[] = [
    new Error('canary'),
    new TypeError('canary'),
    'canary',
    Object.assign(new Error('canary'), { statusCode: 500 }),
  ]
  for (const error of thrown) {
    for (const audience of ['client', 'browser'] as const) {
      const { reply, log } = fail(error, audience)
      assert.is(reply.status, 500)
      assert.not.match(reply.body + JSON.stringify(reply.headers), 'canary')
      assert.ok(
        log.some(([level, , fields]) => level === 'error' && JSON.stringify(fields).includes('canary')),
      )
    }
  }
})

test('who tried Basic is told that Basic is the scheme (RFC 6749 §5.2), and nobody else', () => {
  const error = new OAuthError('invalid_client', 'no')
  assert.is(
    fail(error, 'client', { authorization: 'Basic eDp5' }).reply.headers['www-authenticate'],
    'Basic realm="token"',
  )
  assert.is(fail(error, 'client').reply.headers['www-authenticate'], undefined)
  const other = new OAuthError('invalid_grant', 'no')
  assert.is(
    fail(other, 'client', { authorization: 'Basic eDp5' }).reply.headers['www-authenticate'],
    undefined,
  )
})

test('what passes by itself says when to come again', () => {
  assert.is(fail(busy, 'client').reply.headers['retry-after'], '1')
  assert.is(fail(busy, 'browser').reply.headers['retry-after'], '1')
  assert.is(
    fail(new UpstreamError('unavailable', 'later', {}, 30), 'client').reply.headers['retry-after'],
    '30',
  )
  assert.is(fail(new OAuthError('invalid_grant', 'no'), 'client').reply.headers['retry-after'], undefined)
})

test('a message becomes a sentence on a page, and stays text', () => {
  const page = shown(fail(new OAuthError('invalid_request', 'parameter "<b>x</b>" is missing'), 'browser'))
  assert.match(page.text, 'Parameter "<b>x</b>" is missing.')
})

test('what the other side said stands beneath what the gateway answered, and never in its place', () => {
  const detail = { status: 418, reason: 'ECONNRESET', error: 'teapot', host: 'a.example' }
  assert.equal(errorFields(new UpstreamError('timeout', 'the upstream is slow', detail)), {
    status: 504,
    error: 'temporarily_unavailable',
    reason: 'the upstream is slow',
    upstreamStatus: 418,
    cause: 'ECONNRESET',
    host: 'a.example',
  })
  assert.is(errorFields(new PageError(400, 'It has expired', 'Connect again.')).reason, 'It has expired')
})

test('a sign-in that may go well in a moment says when to try again', () => {
  for (const audience of ['client', 'browser'] as const) {
    const { reply } = fail(new OAuthError('temporarily_unavailable', 'not over yet'), audience)
    assert.equal([reply.status, reply.headers['retry-after']], [503, '1'], audience)
  }
  assert.is(fail(new OAuthError('server_error', 'never'), 'client').reply.headers['retry-after'], undefined)
})

test.run()
