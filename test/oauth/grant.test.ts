// A grant's life as pure transitions: code, rotation, grace, reuse, ends.
import * as assert from 'uvu/assert'
import {
  CODE_TTL_MS,
  findAccessToken,
  findSpent,
  grantExpiresAtMs,
  issueAccess,
  issueCode,
  judgeCode,
  judgeRefresh,
  rotate,
  spendCode,
} from '../../src/oauth/grant.ts'
import {
  mintGrantId,
  mintToken,
  type PresentedToken,
  parseToken,
  type TokenKind,
} from '../../src/oauth/tokens.ts'
import type { Subject } from '../../src/slots.ts'
import type { Grant } from '../../src/store/records.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/grant')
/** RFC 7636, appendix B. */
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
const HOUR = 3_600_000
const LIFETIMES = {
  access_ttl_ms: HOUR,
  refresh_ttl_ms: 10 * HOUR,
  refresh_max_ms: 24 * HOUR,
  refresh_grace_ms: 60_000,
}
const T0 = 1_700_000_000_000

const grantId = mintGrantId()
const presented = (kind: TokenKind, token = mintToken(kind, grantId)): PresentedToken => {
  const parsed = parseToken(kind, token)
  if (parsed === undefined) throw new Error(`not a ${kind}`)
  return parsed
}
const code = presented('code')
const approved: Grant = issueCode(
  {
    grantId,
    codeHash: code.hash,
    subject: 'users/alice' as Subject,
    clientId: 'dcr-1',
    route: 'github',
    scopes: ['mcp:github'],
    redirectUri: 'http://localhost:1/cb',
    challenge: CHALLENGE,
  },
  LIFETIMES,
  T0,
)
const request = { clientId: 'dcr-1', redirectUri: 'http://localhost:1/cb', verifier: VERIFIER }

/** A pair, as hashes and as what a client would present. */
const pair = () => {
  const [access, refresh] = [presented('access'), presented('refresh')]
  return { access, refresh, hashes: { access: access.hash, refresh: refresh.hash } }
}

test('a code is good for its client, redirect_uri and verifier; redirect_uri may be left out (OAuth 2.1)', () => {
  assert.is(judgeCode(approved, code, request, T0), 'good')
  assert.is(judgeCode(approved, code, { ...request, redirectUri: undefined }, T0), 'good')
  assert.is(judgeCode(approved, code, request, T0 + CODE_TTL_MS - 1), 'good')
})

test('every other request for it is told apart', () => {
  assert.is(judgeCode(approved, presented('code'), request, T0), 'unknown')
  assert.is(judgeCode(approved, code, { ...request, clientId: 'dcr-2' }, T0), 'wrong_client')
  assert.is(
    judgeCode(approved, code, { ...request, redirectUri: 'http://localhost:2/cb' }, T0),
    'wrong_redirect_uri',
  )
  assert.is(judgeCode(approved, code, { ...request, verifier: `${VERIFIER}x` }, T0), 'wrong_verifier')
  assert.is(judgeCode(approved, code, { ...request, verifier: undefined }, T0), 'wrong_verifier')
  assert.is(judgeCode(approved, code, request, T0 + CODE_TTL_MS), 'expired')
})

test("sec-T2: another client's attempt is judged before anything that could burn or revoke", () => {
  const spent = spendCode(approved, pair().hashes, LIFETIMES, T0)
  assert.is(judgeCode(spent, code, { ...request, clientId: 'dcr-2' }, T0), 'wrong_client')
  assert.is(
    judgeCode(approved, code, { ...request, clientId: 'dcr-2', verifier: undefined }, T0),
    'wrong_client',
  )
})

test('a spent code is recognised, also after it expired and while its tokens live', () => {
  const spent = spendCode(approved, pair().hashes, LIFETIMES, T0)
  assert.is(judgeCode(spent, code, request, T0 + 1), 'replayed')
  assert.is(judgeCode(spent, code, request, T0 + HOUR), 'replayed')
})

test('spending starts the family: one access and one refresh token, each with its own end', () => {
  const { access, refresh, hashes } = pair()
  const spent = spendCode(approved, hashes, LIFETIMES, T0)
  assert.is(findAccessToken(spent, access.hash, T0 + HOUR - 1)?.expiresAtMs, T0 + HOUR)
  assert.is(findAccessToken(spent, access.hash, T0 + HOUR), undefined)
  assert.is(findAccessToken(spent, refresh.hash, T0), undefined, 'a refresh token gives no access')
  assert.is(judgeRefresh(spent, refresh, 'dcr-1', T0 + 10 * HOUR - 1), 'good')
  assert.is(judgeRefresh(spent, refresh, 'dcr-1', T0 + 10 * HOUR), 'expired')
  assert.is(judgeRefresh(spent, refresh, 'dcr-2', T0), 'wrong_client')
})

const rotated = (grant: Grant, spent: PresentedToken, next: ReturnType<typeof pair>, nowMs: number) =>
  rotate(grant, { hash: spent.hash, sealedSuccessor: `after ${spent.hash}` }, next.hashes, LIFETIMES, nowMs)

test('rotation: the new token is current, the spent one is in its grace and then proof of theft', () => {
  const [first, second] = [pair(), pair()]
  const grant = rotated(spendCode(approved, first.hashes, LIFETIMES, T0), first.refresh, second, T0 + HOUR)
  assert.is(judgeRefresh(grant, second.refresh, 'dcr-1', T0 + HOUR), 'good')
  assert.is(judgeRefresh(grant, first.refresh, 'dcr-1', T0 + HOUR + 59_999), 'grace')
  assert.is(judgeRefresh(grant, first.refresh, 'dcr-1', T0 + HOUR + 60_000), 'reused')
  assert.is(judgeRefresh(grant, first.refresh, 'dcr-2', T0 + HOUR), 'wrong_client')
  assert.is(findSpent(grant, first.refresh.hash, T0 + HOUR)?.sealedSuccessor, `after ${first.refresh.hash}`)
})

test('several spent tokens are in their grace at once, each with its own successor and its own end', () => {
  const pairs = [pair(), pair(), pair(), pair()] as const
  const [first, second, third, last] = pairs
  let grant = spendCode(approved, first.hashes, LIFETIMES, T0)
  grant = rotated(grant, first.refresh, second, T0 + 10_000)
  grant = rotated(grant, second.refresh, third, T0 + 40_000)
  grant = rotated(grant, third.refresh, last, T0 + 65_000)
  for (const { refresh } of [first, second, third]) {
    assert.is(judgeRefresh(grant, refresh, 'dcr-1', T0 + 69_999), 'grace')
    assert.is(findSpent(grant, refresh.hash, T0 + 69_999)?.sealedSuccessor, `after ${refresh.hash}`)
  }
  assert.is(
    judgeRefresh(grant, first.refresh, 'dcr-1', T0 + 70_000),
    'reused',
    'the first is out, the others are not',
  )
  assert.is(judgeRefresh(grant, second.refresh, 'dcr-1', T0 + 99_999), 'grace')
  assert.is(judgeRefresh(grant, third.refresh, 'dcr-1', T0 + 124_999), 'grace')
  assert.is(judgeRefresh(grant, last.refresh, 'dcr-1', T0 + 69_999), 'good')
})

test('what is out of its grace is dropped at the next rotation, so the record does not grow', () => {
  let current = pair()
  let grant = spendCode(approved, current.hashes, LIFETIMES, T0)
  for (let round = 1; round <= 20; round++) {
    const next = pair()
    grant = rotated(grant, current.refresh, next, T0 + round * HOUR)
    current = next
  }
  assert.is(grant.spent.length, 1)
  assert.is(grant.access.length, 1)
})

test('access tokens live to their own expiry across a rotation (design §5)', () => {
  const [first, second] = [pair(), pair()]
  const grant = rotated(
    spendCode(approved, first.hashes, LIFETIMES, T0),
    first.refresh,
    second,
    T0 + HOUR / 2,
  )
  assert.ok(findAccessToken(grant, first.access.hash, T0 + HOUR - 1))
  assert.ok(findAccessToken(grant, second.access.hash, T0 + HOUR / 2))
})

test('no token outlives the family, however often it is refreshed', () => {
  const end = T0 + 24 * HOUR
  let current = pair()
  let grant = spendCode(approved, current.hashes, LIFETIMES, T0)
  for (const hour of [9, 18, 23.5]) {
    const next = pair()
    grant = rotated(grant, current.refresh, next, T0 + hour * HOUR)
    current = next
  }
  assert.is(findAccessToken(grant, current.access.hash, end - 1)?.expiresAtMs, end)
  assert.is(judgeRefresh(grant, current.refresh, 'dcr-1', end - 1), 'good')
  assert.is(judgeRefresh(grant, current.refresh, 'dcr-1', end), 'expired')
  assert.is(grantExpiresAtMs(grant), end)
})

test('a family whose end was brought forward ends then, whatever its refresh token says', () => {
  const { refresh, hashes } = pair()
  const shortened = { ...spendCode(approved, hashes, LIFETIMES, T0), expiresAtMs: T0 + HOUR }
  assert.is(judgeRefresh(shortened, refresh, 'dcr-1', T0 + HOUR), 'expired')
})

test('the record is kept for as long as anything in it can be presented', () => {
  assert.is(grantExpiresAtMs(approved), T0 + CODE_TTL_MS)
  assert.is(grantExpiresAtMs(spendCode(approved, pair().hashes, LIFETIMES, T0)), T0 + 10 * HOUR)
  const brief = { ...LIFETIMES, access_ttl_ms: 1000, refresh_ttl_ms: 1000 }
  const spent = spendCode(approved, pair().hashes, brief, T0)
  assert.is(grantExpiresAtMs(spent), T0 + CODE_TTL_MS, 'a replayed code must be recognised')
})

test('no transition changes the grant it is given', () => {
  const before = JSON.stringify(approved)
  const first = pair()
  const spent = spendCode(approved, first.hashes, LIFETIMES, T0)
  const spentBefore = JSON.stringify(spent)
  rotated(spent, first.refresh, pair(), T0)
  assert.is(JSON.stringify(approved), before)
  assert.is(JSON.stringify(spent), spentBefore)
})

test('a grant without a sign-in is one access token, and ends with it', () => {
  const token = presented('access')
  const entitled = {
    grantId,
    subject: 'clients/batch' as Subject,
    clientId: 'batch',
    route: 'github',
    scopes: ['mcp:github'],
  }
  const grant = issueAccess(entitled, token.hash, LIFETIMES, T0)
  assert.is(findAccessToken(grant, token.hash, T0 + HOUR - 1)?.expiresAtMs, T0 + HOUR)
  assert.is(findAccessToken(grant, token.hash, T0 + HOUR), undefined)
  assert.is(grantExpiresAtMs(grant), T0 + HOUR)
  assert.is(judgeCode(grant, code, { ...request, clientId: 'batch' }, T0), 'unknown', 'no code leads to it')
  assert.is.not(judgeRefresh(grant, presented('refresh'), 'batch', T0), 'good', 'nor a refresh token')
})

test.run()
