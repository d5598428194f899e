// The person at the browser: signs in, allows or denies, until the browser is sent to the client.
import type { Browser } from './browser.ts'
import type { Form, Page } from './page.ts'

export interface Person {
  /** At the gateway's own login. */
  username?: string
  password?: string
  /** Of their own at the upstream, for the page that asks for one. */
  key?: string
  /** At the upstream: the demo AS takes any name, the GitHub look-alike too when it shows its page. */
  upstreamName?: string
  /** Deny at the first page whose URL begins with this; without it, everything is allowed. */
  denyAt?: string
}
export interface SignIn {
  /** The redirect to the client, not fetched. */
  callback: URL
  /** The pages the person saw, in order. */
  pages: Page[]
}

const MOST_PAGES = 8
const YES = /allow|approve|authori[sz]e|continue|sign in|log in|connect|accept|yes/i
const NO = /deny|cancel|reject|refuse|decline/i
const FIELDS: [selector: string, key: 'username' | 'password' | 'upstreamName' | 'key'][] = [
  ['input[name=username]', 'username'],
  ['input[type=password]', 'password'],
  ['input[name=key]', 'key'],
  ['input[name=name]', 'upstreamName'],
  ['input[name=login]', 'upstreamName'],
]

export async function signIn(browser: Browser, url: string | URL, person: Person): Promise<SignIn> {
  const pages: Page[] = []
  let page = await browser.goto(url)
  while (!page.sentTo) {
    pages.push(page)
    if (page.status >= 400) throw new Error(`sign-in failed at ${page}`)
    if (pages.length > MOST_PAGES) throw new Error(`sign-in does not end: ${pages.join('\n')}`)
    page = await decide(browser, page, person)
  }
  return { callback: page.sentTo, pages }
}

/** Answers one page as the person would. */
export function decide(browser: Browser, page: Page, person: Person): Promise<Page> {
  const deny = person.denyAt !== undefined && page.url.href.startsWith(person.denyAt)
  const wanted = (label: string) => (deny ? NO.test(label) : YES.test(label) && !NO.test(label))
  for (const form of page.forms) {
    const button = form.buttons.find(wanted)
    if (button !== undefined) return browser.submit(form, deny ? {} : entries(form, person), { button })
  }
  throw new Error(`nothing to ${deny ? 'deny' : 'allow'} on ${page}`)
}

function entries(form: Form, person: Person): Record<string, string> {
  const known: Record<string, string> = {}
  for (const [selector, key] of FIELDS) {
    const field = form.element.querySelector(selector)?.getAttribute('name')
    const value = person[key]
    if (field && value !== undefined) known[field] = value
  }
  return known
}
