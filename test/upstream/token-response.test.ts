// What token endpoints really answer, as a matrix: each odd reply and the RFC 6749 answer it becomes.
import * as assert from 'uvu/assert'
import { normaliseTokenAnswer } from '../../src/upstream/token-response.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/token-response')

const normalise = (status: number, body: string | Buffer, headers = {}) =>
  normaliseTokenAnswer({ status, headers, body: Buffer.from(body) })

type Expected = readonly [status: number, members: Readonly<Record<string, unknown>>]
type Row = readonly [name: string, status: number, body: string | Buffer, expected: Expected]

const bearer = (more: Readonly<Record<string, unknown>> = {}): Expected => [
  200,
  { access_token: 'T', token_type: 'bearer', ...more },
]
const invalid = (status = 502): Expected => [status, { error: 'invalid_response' }]
const failed = (status: number, error: string): Expected => [status, { error }]

const matrix: Readonly<Record<string, readonly Row[]>> = {
  'a token is a token, however it is written': [
    ['JSON', 200, '{"access_token":"T","token_type":"Bearer"}', bearer()],
    ['JSON with white space around it', 200, '\r\n {"access_token":"T"} \n', bearer()],
    ['JSON behind a byte order mark', 200, '\uFEFF{"access_token":"T"}', bearer()],
    ['form', 200, 'access_token=T&scope=repo%2Cgist&token_type=bearer', bearer({ scope: 'repo,gist' })],
    ['form behind a byte order mark', 200, '\uFEFFaccess_token=T', bearer()],
    ['form with a plus', 200, 'access_token=T&scope=repo+gist', bearer({ scope: 'repo gist' })],
    ['form with an empty member', 200, 'access_token=T&refresh_token=&scope=', bearer()],
    ['form with a line break behind it', 200, 'access_token=T\n', bearer()],
    ['status 201', 201, '{"access_token":"T"}', bearer()],
    [
      'refresh token and scope',
      200,
      '{"access_token":"T","refresh_token":"R","scope":"a b"}',
      bearer({ refresh_token: 'R', scope: 'a b' }),
    ],
    ['a token_type of its own', 200, '{"access_token":"T","token_type":"user"}', bearer()],
    ['a token_type that says nothing', 200, '{"access_token":"T","token_type":"N_A"}', bearer()],
    [
      'a token bound to a key, for the library to refuse',
      200,
      '{"access_token":"T","token_type":"DPoP"}',
      [200, { access_token: 'T', token_type: 'unsupported' }],
    ],
    ['an empty token_type', 200, '{"access_token":"T","token_type":""}', bearer()],
    ['token_type null', 200, '{"access_token":"T","token_type":null}', bearer()],
    ['a scope that is a list', 200, '{"access_token":"T","scope":["a","b"]}', bearer()],
    ['a duplicate member', 200, '{"access_token":"X","access_token":"T"}', bearer()],
  ],
  'lifetimes: whole seconds, or not known': [
    ['a number', 200, '{"access_token":"T","expires_in":3600}', bearer({ expires_in: 3600 })],
    ['a string', 200, '{"access_token":"T","expires_in":"3600"}', bearer({ expires_in: 3600 })],
    ['in a form', 200, 'access_token=T&expires_in=28800', bearer({ expires_in: 28800 })],
    ['a fraction', 200, '{"access_token":"T","expires_in":59.9}', bearer({ expires_in: 59 })],
    ['missing', 200, '{"access_token":"T"}', bearer()],
    ['null', 200, '{"access_token":"T","expires_in":null}', bearer()],
    ['zero', 200, '{"access_token":"T","expires_in":0}', bearer()],
    ['negative', 200, '{"access_token":"T","expires_in":-1}', bearer()],
    ['less than a second', 200, '{"access_token":"T","expires_in":0.5}', bearer()],
    [
      'longer than a token lives',
      200,
      '{"access_token":"T","expires_in":1e306}',
      bearer({ expires_in: 315_360_000 }),
    ],
    ['not a number', 200, '{"access_token":"T","expires_in":"never"}', bearer()],
    ['beyond all numbers', 200, '{"access_token":"T","expires_in":1e400}', bearer()],
    ['a list', 200, '{"access_token":"T","expires_in":[3600]}', bearer()],
    ['an object', 200, '{"access_token":"T","expires_in":{"seconds":1}}', bearer()],
    ['true', 200, '{"access_token":"T","expires_in":true}', bearer()],
  ],
  'an error is an error, whatever the status says': [
    [
      'GitHub: 200, JSON',
      200,
      '{"error":"bad_verification_code","error_description":"secret"}',
      failed(400, 'invalid_grant'),
    ],
    ['GitHub: 200, form', 200, 'error=bad_refresh_token&error_description=x', failed(400, 'invalid_grant')],
    ['GitHub: its client', 200, 'error=incorrect_client_credentials', failed(400, 'invalid_client')],
    ['Slack', 200, '{"ok":false,"error":"invalid_refresh_token"}', failed(400, 'invalid_grant')],
    ['a name that objects have', 200, '{"error":"constructor"}', failed(400, 'constructor')],
    ['200 with an error and a token', 200, '{"error":"x","access_token":"T"}', failed(400, 'x')],
    ['as the RFC has it', 400, '{"error":"invalid_grant"}', failed(400, 'invalid_grant')],
    ['401', 401, '{"error":"invalid_client"}', failed(401, 'invalid_client')],
    ['503', 503, '{"error":"temporarily_unavailable"}', failed(503, 'temporarily_unavailable')],
    ['a redirect with an error', 302, '{"error":"x"}', failed(400, 'x')],
  ],
  'no token and no error is an answer that cannot be used': [
    ['nothing', 200, '', invalid()],
    ['only a byte order mark', 200, '\uFEFF', invalid()],
    ['an empty object', 200, '{}', invalid()],
    ['HTML', 200, '<!doctype html><title>a=b</title>', invalid()],
    ['HTML that looks like a form', 200, '<form action="?access_token=T">', invalid()],
    ['plain text', 200, 'OK', invalid()],
    ['a sentence with an equals sign', 200, 'access_token = T', invalid()],
    ['a list', 200, '[{"access_token":"T"}]', invalid()],
    ['a string', 200, '"access_token=T"', invalid()],
    ['null', 200, 'null', invalid()],
    ['nested', 200, '{"data":{"access_token":"T"}}', invalid()],
    ['half a JSON object', 200, '{"access_token":"T"', invalid()],
    ['two JSON objects', 200, '{"access_token":"T"}{}', invalid()],
    ['a token that is a number', 200, '{"access_token":7}', invalid()],
    ['a token that is an object', 200, '{"access_token":{"value":"T"}}', invalid()],
    ['a token with a line break', 200, '{"access_token":"T\\r\\nX-Evil: 1"}', invalid()],
    ['a token with a NUL', 200, '{"access_token":"T\\u0000"}', invalid()],
    ['a token that is not ASCII', 200, '{"access_token":"tok€n"}', invalid()],
    ['an empty token', 200, '{"access_token":""}', invalid()],
    ['a token in the prototype', 200, '{"__proto__":{"access_token":"T"}}', invalid()],
    ['an error that is an object', 200, '{"error":{"code":1}}', invalid()],
    ['another member only', 200, '{"id_token":"I"}', invalid()],
    ['bytes that are no text', 200, Buffer.from([0xff, 0xfe, 0x00, 0x7b]), invalid()],
    ['204', 204, '', invalid()],
    ['a redirect', 302, '', invalid()],
    ['a redirect with a token', 302, '{"access_token":"T"}', invalid()],
    ['304', 304, '', invalid()],
    ['a refusal with a token', 400, '{"access_token":"T"}', invalid(400)],
    ['404 HTML', 404, '<h1>Not Found</h1>', invalid(404)],
    ['500 HTML', 500, '<h1>Oops</h1>', failed(500, 'server_error')],
    ['502 of a proxy', 502, 'Bad Gateway', failed(502, 'server_error')],
    ['a status beyond those of HTTP', 999, 'Request denied', invalid()],
    ['a status beyond those of HTTP, with an error', 999, '{"error":"denied"}', failed(502, 'denied')],
  ],
}

for (const [name, rows] of Object.entries(matrix)) {
  test(name, async () => {
    for (const [row, status, body, [expectedStatus, members]] of rows) {
      const answer = normalise(status, body)
      assert.equal([answer.status, await answer.json()], [expectedStatus, members], row)
      assert.is(answer.headers.get('content-type'), 'application/json', row)
    }
  })
}

test("a person's token beside the app's is the one that is taken, where the configuration says so", async () => {
  const slack = (body: object, status = 200) =>
    normaliseTokenAnswer({ status, headers: {}, body: Buffer.from(JSON.stringify(body)) }, 'authed_user')
  const user = { id: 'U1', scope: 'search:read', access_token: 'xoxp', token_type: 'user', expires_in: 43200 }
  const nested = await slack({ ok: true, access_token: 'xoxb', authed_user: user }).json()
  assert.equal(nested, {
    access_token: 'xoxp',
    token_type: 'bearer',
    scope: 'search:read',
    expires_in: 43200,
  })
  const flat = await slack({ ok: true, access_token: 'xoxp', authed_user: { id: 'U1' } }).json()
  assert.equal(flat, { access_token: 'xoxp', token_type: 'bearer' })
  assert.equal(await slack({ access_token: 'xoxp' }).json(), { access_token: 'xoxp', token_type: 'bearer' })
  const ofTheApp = { access_token: 'xoxb', token_type: 'bot' }
  for (const more of [{}, { authed_user: { id: 'U1' } }, { authed_user: null }])
    assert.is(slack({ ...ofTheApp, ...more }).status, 502, 'the same for everybody')
  const refused = slack({ ok: false, error: 'invalid_code', authed_user: user })
  assert.equal([refused.status, await refused.json()], [400, { error: 'invalid_grant' }])
  for (const odd of [null, 'text', ['access_token'], 7])
    assert.is(slack({ authed_user: odd }).status, 502, JSON.stringify(odd))
})

test("a provider's own members do not get through", async () => {
  const body =
    '{"access_token":"T","id_token":"I","email":"a@b.example","error_description":"x","bot_user_id":1}'
  const answer = normalise(200, body)
  assert.equal(Object.keys((await answer.json()) as object).sort(), ['access_token', 'token_type'])
})

test('when to ask again is passed on', () => {
  assert.is(normalise(503, '', { 'retry-after': '7' }).headers.get('retry-after'), '7')
  assert.is(normalise(503, '', { 'retry-after': ['7', '8'] }).headers.get('retry-after'), null)
})

test('a mebibyte is judged as fast as a kilobyte is: nothing here goes over a body twice for each character', async () => {
  const long = 'x'.repeat(1024 * 1024)
  const started = performance.now()
  const bodies = [
    `{"access_token":"T","x":"${long}"}`,
    `access_token=T&x=${long}`,
    long,
    `${long}<`,
    `a=${long}<`,
    `${'a='.repeat(500_000)}<`,
  ]
  const answers = bodies.map((body) => normalise(200, body).status)
  assert.equal(answers, [200, 200, 502, 502, 502, 502])
  assert.ok(performance.now() - started < 3000)
})

test.run()
