// The gateway's cookies: names per public URL, attributes per scheme, and how many there may be.
import * as assert from 'uvu/assert'
import {
  clearCookie,
  cookieNames,
  evictOldTransactions,
  MAX_TRANSACTION_COOKIES,
  parseCookies,
  setCookie,
  transactionCookieName,
  transactionCookieValue,
} from '../src/cookies.ts'
import { suite } from './support/suite.ts'

const test = suite('cookies')
const https = cookieNames('https://gw.example')
const http = cookieNames('http://localhost:8002')

test('sec-L11: on https they are __Host- cookies, Secure, for the whole host and no other', () => {
  assert.match(https.session, /^__Host-mcpgw_[\w-]{6}_s$/)
  assert.match(https.transactionPrefix, /^__Host-mcpgw_[\w-]{6}_t_$/)
  assert.is(
    setCookie(https, https.session, 'v', 60),
    `${https.session}=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure`,
  )
})

test('on http, which is loopback, they go without Secure and so without the prefix', () => {
  assert.match(http.session, /^mcpgw_[\w-]{6}_s$/)
  assert.is(
    setCookie(http, http.session, 'v', 60),
    `${http.session}=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax`,
  )
})

test('two gateways on one host do not share them: cookies know no ports', () => {
  const other = cookieNames('http://localhost:8003')
  assert.is.not(other.session, http.session)
  assert.is.not(other.transactionPrefix, http.transactionPrefix)
})

test('clearing is setting it empty with an age of zero, under the same attributes', () => {
  assert.is(
    clearCookie(https, https.session),
    `${https.session}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure`,
  )
})

test('a Cookie header is read name by name; of two the first, more specific one counts', () => {
  const cookies = parseCookies(' a=1; b = two ;c==x=;a=2;novalue; =anonymous;; d=')
  assert.equal(
    [...cookies],
    [
      ['a', '1'],
      ['b', 'two'],
      ['c', '=x='],
      ['d', ''],
    ],
  )
  assert.is(parseCookies(undefined).size, 0)
  assert.is(parseCookies('').size, 0)
  assert.is(parseCookies('__proto__=x').get('__proto__'), 'x')
})

test('each transaction has a cookie of its own, which tells nothing of it', () => {
  const [one, two] = ['first-transaction', 'second-transaction'].map((id) => transactionCookieName(http, id))
  assert.is.not(one, two)
  assert.ok(one?.startsWith(http.transactionPrefix))
  assert.not.ok(one?.includes('first'))
  assert.is(transactionCookieValue('secret', 12_345), '12345.secret')
})

test('sec-C8: so many sign-ins may be open; of more, the oldest are forgotten', () => {
  const held = (count: number) =>
    new Map([
      [http.session, 'session'],
      ['someone_elses', '0.x'],
      ...Array.from({ length: count }, (_, n): [string, string] => [
        `${http.transactionPrefix}${n}`,
        `${1000 + n}.s`,
      ]),
    ])
  assert.equal(evictOldTransactions(http, held(MAX_TRANSACTION_COOKIES - 1)), [], 'one more fits')
  assert.equal(
    evictOldTransactions(http, held(MAX_TRANSACTION_COOKIES + 1)).map((line) => line.split('=')[0]),
    [`${http.transactionPrefix}1`, `${http.transactionPrefix}0`],
    'and neither the session nor a foreign cookie goes',
  )
})

test('cookies that carry no time go before any that does', () => {
  const planted = Array.from({ length: 20 }, (_, n): [string, string] => [
    `${http.transactionPrefix}p${n}`,
    'planted',
  ])
  const own: [string, string] = [`${http.transactionPrefix}own`, transactionCookieValue('s', Date.now())]
  for (const at of [0, 7, 20]) {
    const cookies = new Map([...planted.slice(0, at), own, ...planted.slice(at)])
    const evicted = evictOldTransactions(http, cookies)
    assert.is(evicted.length, 21 - (MAX_TRANSACTION_COOKIES - 1))
    assert.not.ok(
      evicted.some((line) => line.startsWith(own[0])),
      `own cookie at ${at}`,
    )
  }
})

test.run()
