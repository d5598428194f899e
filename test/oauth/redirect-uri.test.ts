// Redirect URIs as a table: which a client may register, which a request may use, and what is appended to them.
import * as assert from 'uvu/assert'
import { OAuthError } from '../../src/errors.ts'
import {
  checkRedirectUri,
  checkRegistrable,
  redirectLocation,
  type VerifiedRedirect,
} from '../../src/oauth/redirect-uri.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/redirect-uri')
const SCHEMES = ['cursor', 'com.example.app']

const registrable = [
  'https://claude.ai/api/mcp/auth_callback',
  'https://vscode.dev/redirect',
  'https://a.example',
  'https://a.example/',
  'https://a.example/?',
  'https://a.example/cb?tenant=1&x=%20',
  'https://a.example/cb;v=1',
  'https://a.example:8443/cb',
  'https://xn--bcher-kva.example/cb',
  'https://203.0.113.5/cb',
  'https://[2001:db8::1]/cb',
  'https://localhost/cb',
  'http://localhost',
  'http://localhost/callback',
  'http://localhost:3118/callback?x=1',
  'http://127.0.0.1:33418/',
  'http://127.0.0.1/',
  'http://[::1]:8080/cb',
  'cursor://anysphere.cursor-retrieval/oauth/user-x/callback',
  'com.example.app:/oauth2redirect',
]

const notRegistrable: Readonly<Record<string, readonly string[]>> = {
  'neither https, nor http on loopback': [
    'http://a.example/cb',
    'http://localhost.evil.example/cb',
    'http://localhost./cb',
    'http://127.0.0.2/cb',
    'http://127.0.0.1.evil.example/cb',
    'http://0.0.0.0/cb',
    'http://[::ffff:127.0.0.1]/cb',
    'http://192.168.1.10/cb',
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'blob:https://a.example/x',
    'about:blank',
    'ftp://a.example/cb',
    'ws://localhost/cb',
    'urn:ietf:wg:oauth:2.0:oob',
    'vscode://x/cb',
    'cursors://x/cb',
    'com.example.app.evil:/cb',
  ],
  canonical: [
    'HTTPS://a.example/cb',
    'https://A.example/cb',
    'https://a.example:443/cb',
    'https://bücher.example/cb',
    'https://a.example/é',
    'https://a.example/a b',
    'https://a.example/a/../cb',
    'https://a.example/%2e%2e/cb',
    'https://a.example/./cb',
    'https:\\\\a.example\\cb',
    'https://a.example\\cb',
    'https:/a.example/cb',
    'https:a.example',
    'https:///a.example/cb',
    ' https://a.example/cb',
    'https://a.example/cb ',
    'https://a.example/\ncb',
    'https://a.example/c\tb',
    'https://a.example/cb\u200b',
    'https://a.example?x',
    'http://localhost:80/cb',
    'http://localhost:08/cb',
    'http://2130706433/cb',
    'http://0x7f.1/cb',
    'http://127.1/cb',
    'http://[0:0:0:0:0:0:0:1]/cb',
    'Cursor://x/cb',
    'cursor://x/../cb',
  ],
  fragment: ['https://a.example/cb#', 'https://a.example/cb#x', 'http://localhost/#/cb', 'cursor://x/#cb'],
  'user information': [
    'https://user@a.example/cb',
    'https://user:pw@a.example/cb',
    'https://:@a.example/cb',
    'https://@a.example/cb',
    'https://a.example@evil.example/cb',
    'http://localhost@evil.example/cb',
    'http://localhost:80@evil.example/cb',
    'cursor://u@x/cb',
  ],
  wildcard: ['https://*.a.example/cb', 'https://a.example/*', 'cursor://*/cb'],
  absolute: [
    '',
    '/cb',
    '//a.example/cb',
    'a.example/cb',
    'https://',
    'http://localhost:65536/cb',
    'http://localhost:*/cb',
    'https://a b/cb',
  ],
  'reasonable length': [`https://a.example/${'x'.repeat(2048)}`],
}

test('spec-A4: what real clients register is taken as it is', () => {
  for (const uri of registrable) assert.is(checkRegistrable(uri, SCHEMES), uri)
})

test('sec-A4: everything else is refused, for the reason that holds', () => {
  for (const [reason, uris] of Object.entries(notRegistrable)) {
    for (const uri of uris) {
      const check = () => checkRegistrable(uri, SCHEMES)
      assert.throws(
        check,
        (error: unknown) =>
          error instanceof OAuthError &&
          error.code === 'invalid_redirect_uri' &&
          error.message.includes(reason),
        `${uri}: ${reason}`,
      )
    }
  }
})

test('what is not a string is refused', () => {
  for (const value of [
    undefined,
    null,
    7,
    {},
    ['https://a.example/cb'],
    { toString: () => 'https://a.example' },
  ]) {
    assert.throws(() => checkRegistrable(value, SCHEMES), /reasonable length/)
  }
})

test('spec-A4: a private-use scheme is good only while it is on the list', () => {
  assert.throws(() => checkRegistrable('cursor://x/cb', []), /nor a scheme this gateway allows/)
  assert.is(checkRegistrable('vscode://x/cb', ['vscode']), 'vscode://x/cb')
})

test('spec-A4: a scheme that a browser handles itself is never one, whatever the list says', () => {
  for (const uri of [
    'http://a.example/cb',
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'ws://a/',
  ]) {
    assert.throws(
      () => checkRegistrable(uri, [uri.split(':')[0] ?? '']),
      /nor a scheme this gateway allows/,
      uri,
    )
  }
})

const registered = [
  'https://a.example/cb',
  'http://localhost:3118/callback',
  'http://127.0.0.1/',
  'cursor://x/cb',
]

test('spec-A3: a request may use what was registered, and any port of an http loopback URI (RFC 8252 §7.3)', () => {
  const good = [
    ...registered,
    'http://localhost/callback',
    'http://localhost:1/callback',
    'http://localhost:65535/callback',
    'http://localhost:80/callback',
    'http://127.0.0.1:33418/',
    'http://127.0.0.1:80/',
  ]
  for (const uri of good) assert.is(checkRedirectUri(registered, uri), uri)
})

test('sec-A2: anything else is refused, however near', () => {
  const refused = [
    'https://a.example/cb/',
    'https://a.example/CB',
    'https://a.example/cb2',
    'https://a.example/cb?',
    'https://a.example/cb?x=1',
    'https://a.example/cb#',
    'https://a.example/cb%2f',
    'https://a.example/cb/../cb',
    'https://a.example//cb',
    'https://a.example:443/cb',
    'https://a.example:8443/cb',
    'https://A.example/cb',
    'HTTPS://a.example/cb',
    'http://a.example/cb',
    'https://a.example.evil.example/cb',
    'https://evil.example/cb',
    'https://evil.example/?u=https://a.example/cb',
    'https://a.example/cb@evil.example',
    'https://localhost:3118/callback',
    'http://localhost:3118/callback/',
    'http://localhost:3118/Callback',
    'http://localhost:3118/callback?x=1',
    'http://localhost:3118/callback#',
    'http://localhost:3118/x/../callback',
    'http://localhost:3118/%63allback',
    'http://localhost:3118\\callback',
    'http://localhost:3118@evil.example/callback',
    'http://localhost:0/callback',
    'http://localhost:00080/callback',
    'http://localhost:65536/callback',
    'http://localhost:99999/callback',
    'http://localhost:/callback',
    'http://localhost:3118 /callback',
    'http://localhost.evil.example:3118/callback',
    'http://LOCALHOST:3118/callback',
    'http://localhost./callback',
    'http://127.0.0.1:3118/callback',
    'http://[::1]:3118/callback',
    'http://127.0.0.1:33418',
    'http://127.1:33418/',
    'http://127.0.0.2:33418/',
    'cursor://x/cb2',
    'cursor://x:80/cb',
    'cursor:/x/cb',
    '',
  ]
  for (const uri of refused) {
    assert.throws(
      () => checkRedirectUri(registered, uri),
      (error: unknown) => error instanceof OAuthError && error.code === 'invalid_request',
      uri,
    )
  }
})

test('redirect_uri may be left out only where there is one to choose from', () => {
  assert.is(checkRedirectUri(['https://a.example/cb'], undefined), 'https://a.example/cb')
  assert.throws(() => checkRedirectUri(registered, undefined), /is missing/)
  assert.throws(() => checkRedirectUri([], undefined), /is missing/)
})

test('loopback is three names and no more', () => {
  const isRefused = (uri: string) => assert.throws(() => checkRegistrable(uri, []), /./, uri)
  for (const host of ['localhost', '127.0.0.1', '[::1]']) assert.ok(checkRegistrable(`http://${host}/cb`, []))
  for (const host of ['127.0.0.2', 'localhost.', '0.0.0.0', 'a.localhost']) isRefused(`http://${host}/cb`)
})

const answer = (uri: string) =>
  redirectLocation(uri as VerifiedRedirect, {
    code: 'c d',
    state: 's&=+é',
    iss: 'https://gw',
    absent: undefined,
  })
const PARAMETERS = 'code=c+d&state=s%26%3D%2B%C3%A9&iss=https%3A%2F%2Fgw'

test('the answer is appended to whatever the URI already is', () => {
  const expected = {
    'https://a.example/cb': `https://a.example/cb?${PARAMETERS}`,
    'https://a.example': `https://a.example?${PARAMETERS}`,
    'https://a.example/?': `https://a.example/?${PARAMETERS}`,
    'cursor://x/cb': `cursor://x/cb?${PARAMETERS}`,
    'com.example.app:/cb': `com.example.app:/cb?${PARAMETERS}`,
  }
  for (const [uri, location] of Object.entries(expected)) assert.is(answer(uri), location)
})

test("the client's own query is retained as it was registered (RFC 6749 §3.1.2)", () => {
  for (const query of ['tenant=1', 'a=%20&b=c%2fd', 'flag', 'x=1&x=2', 'q=a|b']) {
    assert.is(answer(`https://a.example/cb?${query}`), `https://a.example/cb?${query}&${PARAMETERS}`)
  }
})

test('sec-A7: exactly one code, state and iss arrive, and they are ours', () => {
  const planted = 'https://a.example/cb?code=evil&keep=1&st%61te=evil&iss=evil&iss=evil&absent=evil'
  assert.is(answer(planted), `https://a.example/cb?keep=1&${PARAMETERS}`)
})

test.run()
