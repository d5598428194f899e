// The pages as a browser gets them: what they say, what their forms send, and what they can never contain.
import { createHash } from 'node:crypto'
import * as assert from 'uvu/assert'
import { type ConsentView, consentPage } from '../../src/pages/consent.ts'
import { PAGE_HEADERS } from '../../src/pages/layout.ts'
import { messagePage } from '../../src/pages/message.ts'
import { pickerPage } from '../../src/pages/picker.ts'
import { STYLE } from '../../src/pages/style.ts'
import { Page } from '../support/page.ts'
import { suite } from '../support/suite.ts'

const test = suite('pages')
const shown = (text: string) => new Page(new URL('http://localhost:8002/authorize'), 200, {}, text)

const view: ConsentView = {
  brand: 'MCP gateway',
  clientName: 'Claude Code',
  clientHost: undefined,
  redirectUri: 'https://claude.example/api/cb?x=1',
  route: { title: 'GitHub', resource: 'https://gw.example/github' },
  upstream: { host: 'api.github.example', asksForAccount: true, scopes: ['repo', 'read:user'] },
  transaction: 'transaction-id',
  scopesDigest: 'digest-of-the-list',
  csrf: 'csrf-token',
  user: { kind: 'password' },
}
const consent = (change: Partial<ConsentView> = {}) => shown(consentPage({ ...view, ...change }))

test('spec-H2: the consent page says who asks, where the answer goes, for which server and with which scopes', () => {
  const page = consent()
  assert.is(page.title, 'Claude Code wants to use GitHub · MCP gateway')
  for (const part of [
    'unverified name',
    'claude.example',
    'https://gw.example/github',
    'api.github.example (you may be asked to sign in there next)',
    'repo',
    'read:user',
  ]) {
    assert.ok(page.text.includes(part), part)
  }
  assert.not.ok(page.text.includes('x=1'), 'the host is what a person can judge')
})

test('a page asks for name and password only from whom it does not know', () => {
  const password = consent().form()
  assert.ok(password.has('input[name=username][autocomplete=username]'))
  assert.ok(password.has('input[type=password][autocomplete=current-password]'))
  assert.is(password.fill({ username: 'a', password: 'b' }).url.pathname, '/login')
  assert.equal(password.buttons, ['Sign in and allow', 'Deny'])

  const signedIn = consent({ user: { kind: 'signed_in', name: 'alice' } })
  assert.not.ok(signedIn.form().has('input[type=password]'))
  assert.match(signedIn.text, 'Signed in as alice')
  assert.equal(signedIn.form().buttons, ['Use another account', 'Allow', 'Deny'])
  assert.is(signedIn.form().fill({}).url.pathname, '/consent')

  const anonymous = consent({ user: { kind: 'anonymous' } })
  assert.not.ok(anonymous.form().has('input[type=password]'))
  assert.equal(anonymous.form().buttons, ['Allow', 'Deny'])
})

test('each button sends its decision, with transaction, list and token', () => {
  const fields = Object.fromEntries(
    consent({ user: { kind: 'anonymous' } })
      .form()
      .fill({}, 'Deny').fields,
  )
  assert.equal(fields, {
    transaction: 'transaction-id',
    scopes: 'digest-of-the-list',
    csrf: 'csrf-token',
    decision: 'deny',
  })
})

test('Deny works with empty fields, signing in does not', () => {
  const form = consent().form()
  assert.is(new Map(form.fill({}, 'Deny').fields).get('decision'), 'deny')
  assert.throws(() => form.fill({}, 'Sign in and allow'), /wants username filled in/)
})

test('Enter in a field presses the first button, and that one signs in', () => {
  const { fields } = consent().form().fill({ username: 'a', password: 'b' })
  assert.is(new Map(fields).get('decision'), 'allow')
})

test('a refused sign-in is announced, and the name typed stays', () => {
  const page = consent({ error: 'The user name or the password is wrong.', username: 'ali"ce' })
  assert.is(page.root.querySelector('[role=alert]')?.textContent, 'The user name or the password is wrong.')
  assert.is(page.form().values.username, 'ali"ce')
  assert.is(page.form().values.password, '')
  assert.is(consent().root.querySelector('[role=alert]'), null)
})

test('spec-C7: what goes to a program on this computer says so; a private-use scheme is shown whole', () => {
  assert.match(
    consent({ redirectUri: 'http://127.0.0.1:3118/cb' }).text,
    /127\.0\.0\.1:3118 .*program on this computer/,
  )
  assert.match(
    consent({ redirectUri: 'cursor://x/oauth/cb' }).text,
    /cursor:\/\/x\/oauth\/cb .*program on this computer/,
  )
  assert.not.match(consent().text, 'program on this computer')
})

test('without a name there is a word for it; without scopes and account the page says nothing of them', () => {
  for (const clientName of [undefined, '', '\u200B'])
    assert.match(consent({ clientName }).title, 'An unnamed client')
  const plain = consent({ upstream: { host: 'h', asksForAccount: false, scopes: [] } })
  assert.not.match(plain.text, /scopes|sign in there/)
})

test('what is connected upstream is named, and another account is a decision of its own', () => {
  const upstream = { host: 'h', asksForAccount: true, scopes: [] }
  const page = (account: { name: string | undefined; connectedAtMs: number | undefined } | undefined) =>
    consent({ user: { kind: 'signed_in', name: 'alice' }, upstream: { ...upstream, account } })
  const named = page({ name: 'octocat', connectedAtMs: 0 })
  assert.match(named.text, 'h connected as octocat')
  assert.not.match(named.text, 'asked to sign in')
  const another = named.root.querySelector('button[value=relink]')
  assert.is(another?.textContent, 'Allow with another upstream account')
  assert.match(
    page({ name: undefined, connectedAtMs: Date.UTC(2026, 6, 31) }).text,
    'connected on 2026-07-31',
  )
  assert.match(page({ name: '\u200B', connectedAtMs: undefined }).text, /h connected$|h connected /)
  assert.is(page(undefined).root.querySelector('button[value=relink]'), null)
})

test('scopes of a server that nobody signs in to are just scopes', () => {
  const page = consent({ upstream: { host: 'h', asksForAccount: false, scopes: ['tools'] } })
  assert.match(page.text, 'Scopes tools')
  assert.not.match(page.text, 'Upstream scopes')
})

test('sec-R6: whatever others chose is text on every page', () => {
  const evil = '"><img src=x onerror=alert(1)><a href="javascript:x'
  const pages = [
    consent({
      brand: evil,
      clientName: evil,
      route: { title: evil, resource: evil },
      upstream: {
        host: evil,
        asksForAccount: true,
        scopes: [evil],
        account: { name: evil, connectedAtMs: 0 },
      },
      transaction: evil,
      csrf: evil,
      error: evil,
      username: evil,
    }),
    consent({ user: { kind: 'signed_in', name: evil } }),
    shown(messagePage(evil, { title: evil, text: evil })),
    shown(pickerPage(evil, [{ title: evil, resource: evil, href: `/authorize?${evil}` }])),
  ]
  for (const page of pages) {
    assert.is(page.root.querySelectorAll('img, script, [onerror], a[href^=javascript]').length, 0, page.title)
    assert.ok(page.html.includes('&lt;img'), 'it is there, as text')
  }
})

test('every page is whole: language, one h1, a title, labels for what is filled in, no script, nothing loaded', () => {
  const choices = [{ title: 'A', resource: 'http://localhost/a', href: '/authorize?resource=a' }]
  const pages = [
    consent(),
    shown(messagePage('B', { title: 'T', text: 'x' })),
    shown(pickerPage('B', choices)),
  ]
  for (const { root, html, title } of pages) {
    assert.match(html, /^<!doctype html>\n<html lang="en">/)
    assert.ok(title.length > 3)
    assert.is(root.querySelectorAll('h1').length, 1, title)
    assert.is(root.querySelectorAll('main').length, 1, title)
    assert.is(root.querySelectorAll('script, link, img, iframe, [style], [onclick]').length, 0, title)
    for (const field of root.querySelectorAll('input:not([type=hidden])')) {
      assert.ok(root.querySelector(`label[for=${field.getAttribute('id')}]`), field.toString())
    }
    const ids = root.querySelectorAll('[id]').map((element) => element.getAttribute('id'))
    assert.is(new Set(ids).size, ids.length)
  }
})

test('the style sheet in the page is the one its policy allows', () => {
  const style = consent().html.split('<style>')[1]?.split('</style>')[0] ?? ''
  assert.is(style, STYLE)
  const hash = createHash('sha256').update(style).digest('base64')
  assert.match(PAGE_HEADERS['content-security-policy'] ?? '', `style-src 'sha256-${hash}'`)
  assert.not.match(style, /url\(|@import|</)
})

test('sec-L10: the policy has no form-action, which would stop the way back to the client', () => {
  assert.not.match(PAGE_HEADERS['content-security-policy'] ?? '', 'form-action')
  assert.match(PAGE_HEADERS['content-security-policy'] ?? '', "frame-ancestors 'none'")
  assert.is(PAGE_HEADERS['referrer-policy'], 'same-origin')
})

test.run()
