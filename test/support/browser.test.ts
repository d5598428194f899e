// The tests' browser keeps the rules that real ones keep.
import * as assert from 'uvu/assert'
import { Browser } from './browser.ts'
import { CookieJar } from './cookies.ts'
import { listen, readForm } from './http.ts'
import { formActionAllows } from './navigation.ts'
import { Page } from './page.ts'
import { record } from './recorder.ts'
import { suite } from './suite.ts'

const test = suite('support/browser')

const kept = (url: string, header: string, at = url) => {
  const jar = new CookieJar()
  jar.store(new URL(url), header)
  return jar.header({ url: new URL(at), method: 'GET', crossSite: false })
}

const cookieRules: [rule: string, url: string, header: string, at: string, sent: string | undefined][] = [
  ['a plain cookie', 'http://a.test/x', 'n=v', 'http://a.test/', 'n=v'],
  ['default path is the folder', 'http://a.test/x/y', 'n=v', 'http://a.test/z', undefined],
  ['a path is a prefix of segments', 'http://a.test/', 'n=v; Path=/x', 'http://a.test/xy', undefined],
  ['a path covers what is below', 'http://a.test/', 'n=v; Path=/x', 'http://a.test/x/y', 'n=v'],
  ['ports do not count', 'http://a.test:1/', 'n=v', 'http://a.test:2/', 'n=v'],
  ['host-only without Domain', 'http://a.test/', 'n=v', 'http://b.a.test/', undefined],
  ['Domain covers subdomains', 'http://b.a.test/', 'n=v; Domain=a.test', 'http://c.a.test/', 'n=v'],
  ['a foreign Domain', 'http://a.test/', 'n=v; Domain=b.test', 'http://b.test/', undefined],
  ['a public suffix as Domain', 'http://a.test/', 'n=v; Domain=test', 'http://a.test/', undefined],
  ['Secure over http, even on localhost', 'http://localhost/', 'n=v; Secure', 'http://localhost/', undefined],
  ['Secure over https', 'https://a.test/', 'n=v; Secure', 'https://a.test/', 'n=v'],
  ['Secure is not sent over http', 'https://a.test/', 'n=v; Secure', 'http://a.test/', undefined],
  ['__Host-', 'https://a.test/', '__Host-n=v; Secure; Path=/', 'https://a.test/', '__Host-n=v'],
  ['__Host- without Path=/', 'https://a.test/', '__Host-n=v; Secure', 'https://a.test/', undefined],
  [
    '__Host- with Domain',
    'https://a.test/',
    '__Host-n=v; Secure; Path=/; Domain=a.test',
    'https://a.test/',
    undefined,
  ],
  ['__Secure- without Secure', 'https://a.test/', '__Secure-n=v', 'https://a.test/', undefined],
  ['SameSite=None without Secure', 'https://a.test/', 'n=v; SameSite=None', 'https://a.test/', undefined],
  ['Max-Age=0', 'http://a.test/', 'n=v; Max-Age=0', 'http://a.test/', undefined],
  [
    'an Expires in the past',
    'http://a.test/',
    'n=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
    'http://a.test/',
    undefined,
  ],
  [
    'Max-Age wins',
    'http://a.test/',
    'n=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=9',
    'http://a.test/',
    'n=v',
  ],
  ['a value with =', 'http://a.test/', 'n=a=b', 'http://a.test/', 'n=a=b'],
]
for (const [rule, url, header, at, sent] of cookieRules) {
  test(`cookies: ${rule}`, () => assert.is(kept(url, header, at), sent))
}

test('cookies: the longer path first, then the older; the same name and path replaces', () => {
  const jar = new CookieJar()
  const url = new URL('http://a.test/x/y')
  for (const header of ['a=1; Path=/', 'b=2; Path=/x', 'c=3; Path=/', 'a=4; Path=/']) jar.store(url, header)
  assert.is(jar.header({ url, method: 'GET', crossSite: false }), 'b=2; c=3; a=4')
})

test('cookies: SameSite on navigations from another site', () => {
  const jar = new CookieJar()
  const url = new URL('https://a.test/')
  for (const value of ['Strict', 'Lax', 'None']) jar.store(url, `${value}=1; SameSite=${value}; Secure`)
  assert.is(jar.header({ url, method: 'GET', crossSite: true }), 'Lax=1; None=1')
  assert.is(jar.header({ url, method: 'POST', crossSite: true }), 'None=1')
  assert.is(jar.header({ url, method: 'POST', crossSite: false }), 'Strict=1; Lax=1; None=1')
})

const formActions: [policy: string, target: string, allowed: boolean][] = [
  ["default-src 'none'", 'https://c.test/', true],
  ["form-action 'self'", 'https://page.test/x', true],
  ["form-action 'self'", 'https://c.test/', false],
  ["form-action 'none'", 'https://page.test/', false],
  ["form-action 'self' https://c.test", 'https://c.test/cb', true],
  ['form-action https://c.test', 'http://c.test/', false],
  ['form-action http://127.0.0.1:*', 'http://127.0.0.1:9/cb', true],
  ['form-action http://127.0.0.1:9', 'http://127.0.0.1:8/cb', false],
  ['form-action https://*.c.test', 'https://b.c.test/', true],
  ['form-action https:', 'https://any.test/', true],
  ['form-action cursor:', 'cursor://x/cb', true],
  ['form-action https:', 'cursor://x/cb', false],
]
for (const [policy, target, allowed] of formActions) {
  test(`${policy} ${allowed ? 'lets a form reach' : 'stops a form before'} ${target}`, () => {
    assert.is(formActionAllows([policy], new URL('https://page.test/login'), new URL(target)), allowed)
  })
}

const page = (html: string) => new Page(new URL('http://a.test/page?q=1'), 200, {}, html)

test('forms: defaults, hidden fields, boxes, selections and the pressed button are sent', () => {
  const form = page(`<form method="post" action="/go" id="f"><input type="hidden" name="csrf" value="a&amp;b">
    <input name="user" required><input type="checkbox" name="keep" checked><input type="checkbox" name="all" value="1">
    <input type="radio" name="r" value="x"><input type="radio" name="r" value="y" checked>
    <select name="route"><option value="one">1</option><option value="two" selected>2</option></select>
    <textarea name="note">hi &lt;there&gt;</textarea><input name="off" value="1" disabled>
    <button name="decision" value="allow">Allow  access</button><button name="decision" value="deny" formnovalidate>Deny</button></form>
    <input name="outside" value="in" form="f">`).form()
  assert.equal(form.buttons, ['Allow access', 'Deny'])
  const { url, method, fields } = form.fill({ user: 'alice', all: true, r: 'x' }, 'Allow access')
  assert.is(`${method} ${url}`, 'POST http://a.test/go')
  assert.is(
    new URLSearchParams(fields).toString(),
    'csrf=a%26b&user=alice&keep=on&all=1&r=x&route=two&note=hi+%3Cthere%3E&outside=in&decision=allow',
  )
  assert.throws(() => form.fill({}, 'Allow access'), /wants user filled in/)
  assert.ok(form.fill({}, 'deny').fields.some(([, value]) => value === 'deny'))
  assert.throws(() => form.fill({ user: 'a' }, 'Maybe'), /no button Maybe/)
  assert.throws(() => form.fill({ usr: 'a' }), /no field usr/)
})

test('pages: the text is what a person reads', () => {
  const shown = page(
    '<title>T &amp; t</title><style>x{}</style><h1>Sign in</h1><p>to <b>alice&#39;s</b>\n tools</p>',
  )
  assert.is(shown.title, 'T & t')
  assert.is(shown.text, "Sign in to alice's tools")
  assert.throws(() => shown.form(), /no form form on 200 http:\/\/a.test/)
})

test('navigations: headers, redirects, cookies and the stop before the client', async ({ after }) => {
  const upstream = await listen((_request, response) => {
    response.writeHead(302, { location: `${gateway.origin}/callback?code=1` }).end()
  })
  const gateway = await listen(async (request, response) => {
    const path = request.url?.split('?')[0]
    if (path === '/login' && request.method === 'GET') {
      const headers = { 'content-type': 'text/html', 'set-cookie': 't=1; HttpOnly; SameSite=Lax; Path=/' }
      const html = '<form method="post"><input name="user"><button>Go</button></form><a href="/other">x</a>'
      return response.writeHead(200, { ...headers, 'referrer-policy': 'same-origin' }).end(html)
    }
    if (path === '/login') {
      assert.is((await readForm(request)).get('user'), 'alice')
      // Another host name is another site for cookies and Fetch Metadata alike.
      const location = `${upstream.origin.replace('127.0.0.1', 'localhost')}/authorize`
      return response.writeHead(303, { location }).end()
    }
    if (path === '/callback')
      return response.writeHead(303, { location: 'http://client.test/cb?code=2' }).end()
    return response.writeHead(404, { 'content-type': 'text/html' }).end('nothing')
  })
  after(() => Promise.all([gateway.close(), upstream.close()]))
  const [seen, seenUpstream] = [record(gateway.server), record(upstream.server)]

  const browser = new Browser({ stopAt: ['http://client.test/'] })
  const login = await browser.goto(`${gateway.origin}/login`)
  const final = await browser.submit(login.form(), { user: 'alice' }, { button: 'Go' })
  assert.is(final.sentTo?.href, 'http://client.test/cb?code=2')

  const [first, post, callback] = seen.requests
  assert.is(first?.headers['sec-fetch-site'], 'none')
  assert.is(first?.headers.referer, undefined)
  assert.is(first?.headers.cookie, undefined)
  assert.is(post?.headers.origin, gateway.origin)
  assert.is(post?.headers['sec-fetch-site'], 'same-origin')
  assert.is(post?.headers.referer, `${gateway.origin}/login`)
  assert.is(post?.headers.cookie, 't=1')
  assert.is(seenUpstream.requests[0]?.headers['sec-fetch-site'], 'cross-site')
  assert.is(seenUpstream.requests[0]?.headers.referer, undefined)
  assert.is(callback?.method, 'GET')
  assert.is(callback?.headers['sec-fetch-site'], 'cross-site')
  assert.is(callback?.headers.cookie, 't=1')
  assert.is(browser.history.length, 4)

  await browser.goto(`${gateway.origin}/login`)
  assert.is((await browser.follow('a')).status, 404)
  assert.is(seen.requests.at(-1)?.headers['sec-fetch-site'], 'same-origin')
})

test('navigations: another browser has other cookies, and a forged form shows where it came from', async ({
  after,
}) => {
  const site = await listen((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html', 'set-cookie': 'mine=1; Path=/' })
    response.end('<form method="post"><button>Go</button></form>')
  })
  after(site.close)
  const seen = record(site.server)
  const [attacker, victim] = [new Browser(), new Browser()]
  const form = (await attacker.goto(site.origin)).form()
  await victim.submit(form)
  assert.is(seen.requests.at(-1)?.headers.cookie, undefined)
  await victim.post(site.origin, { a: '1' }, { from: new URL('https://evil.test/page') })
  assert.is(seen.requests.at(-1)?.headers.origin, 'null') // https to http
  await victim.post(site.origin, { a: '1' }, { from: new URL('http://evil.test/page') })
  assert.is(seen.requests.at(-1)?.headers.origin, 'http://evil.test')
  assert.is(seen.requests.at(-1)?.headers['sec-fetch-site'], 'cross-site')
  assert.is(seen.requests.at(-1)?.headers.cookie, undefined)
})

test('navigations: form-action blocks a redirect, 307 repeats the body, loops end, app schemes stop', async ({
  after,
}) => {
  const site = await listen(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://site')
    const to = searchParams.get('to')
    if (pathname === '/form') {
      const csp = "form-action 'self'"
      const html = `<form method="post" action="/redirect?to=${to}"><input name="a" value="1"><button>Go</button></form>`
      return response.writeHead(200, { 'content-security-policy': csp }).end(html)
    }
    if (pathname === '/redirect') return response.writeHead(303, { location: to ?? '' }).end()
    if (pathname === '/again') return response.writeHead(307, { location: '/end' }).end()
    if (pathname === '/loop') return response.writeHead(302, { location: '/loop' }).end()
    return response.end(`${request.method} ${(await readForm(request)).get('a')}`)
  })
  after(site.close)
  const browser = new Browser()
  const blocked = await browser.goto(`${site.origin}/form?to=http://client.test/`)
  const error = await browser.submit(blocked.form()).catch((failure: Error) => failure)
  assert.match(String(error), /blocked by form-action/)
  const allowed = await browser.goto(`${site.origin}/form?to=/end`)
  assert.is((await browser.submit(allowed.form())).text, 'GET null')
  assert.is((await browser.post(`${site.origin}/again`, { a: '1' })).text, 'POST 1')
  assert.match(
    String(await browser.goto(`${site.origin}/loop`).catch((failure: Error) => failure)),
    /redirects/,
  )
  const app = await browser.goto(`${site.origin}/redirect?to=cursor://app/callback?code=1`)
  assert.is(app.sentTo?.href, 'cursor://app/callback?code=1')
})

test.run()
