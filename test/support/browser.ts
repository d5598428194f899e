// One person's browser: navigations with redirects, cookies and the headers Chromium sends; no script, as our
// pages need none. Two browsers share nothing.
import { once } from 'node:events'
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { CookieJar } from './cookies.ts'
import { readBody } from './http.ts'
import { crossSite, formActionAllows, type Hop, type Initiator, navigationHeaders } from './navigation.ts'
import { type Form, type FormValues, Page } from './page.ts'

const MOST_REDIRECTS = 20

export interface BrowserOptions {
  /** Redirects to URLs that begin with one of these are returned as `page.sentTo`, not followed. */
  stopAt?: string[]
  /** PEM of a CA to trust. */
  ca?: string
}
export interface Visit {
  /** The page whose link or form this is; without it the person typed the URL. */
  from?: Page | URL
  headers?: Record<string, string>
}
interface Navigation extends Hop {
  body: string | undefined
  extra: Record<string, string>
  /** The page whose form was submitted: its CSP judges every hop. */
  submitted: Page | undefined
}
interface Answer {
  status: number
  headers: IncomingHttpHeaders
  html: string
}

export class Browser {
  readonly cookies = new CookieJar()
  /** Every request made, in order: `GET http://…`. */
  readonly history: string[] = []
  readonly stopAt: string[]
  readonly #ca: string | undefined
  #page: Page | undefined

  constructor({ stopAt = [], ca }: BrowserOptions = {}) {
    this.stopAt = stopAt
    this.#ca = ca
  }

  /** The page the browser shows. */
  get page(): Page {
    if (!this.#page) throw new Error('the browser has not been anywhere')
    return this.#page
  }

  goto(url: string | URL, { from, headers = {} }: Visit = {}): Promise<Page> {
    const initiator = from && initiatorOf(from)
    return this.#navigate({
      method: 'GET',
      urls: [new URL(url)],
      initiator,
      body: undefined,
      extra: headers,
      submitted: undefined,
    })
  }

  /** Follows the first link that fits the selector on the page shown. */
  follow(selector: string): Promise<Page> {
    const href = this.page.root.querySelector(selector)?.getAttribute('href')
    if (href === undefined) throw new Error(`no link ${selector} on ${this.page}`)
    return this.goto(new URL(href, this.page.url), { from: this.page })
  }

  /** Fills in and sends a form, which may belong to a page of another browser: then it is a forgery. */
  submit(
    form: Form,
    values: FormValues = {},
    { button, headers = {} }: { button?: string; headers?: Record<string, string> } = {},
  ) {
    const { url, method, fields } = form.fill(values, button)
    const encoded = new URLSearchParams(fields).toString()
    if (method === 'GET') url.search = encoded
    const body = method === 'GET' ? undefined : encoded
    const initiator = initiatorOf(form.page)
    return this.#navigate({ method, urls: [url], initiator, body, extra: headers, submitted: form.page })
  }

  /** Sends a form that no page offers, as an attacker's page at `from` would. */
  post(url: string | URL, fields: Record<string, string>, { from, headers = {} }: Visit = {}): Promise<Page> {
    const body = new URLSearchParams(fields).toString()
    const initiator = from && initiatorOf(from)
    return this.#navigate({
      method: 'POST',
      urls: [new URL(url)],
      initiator,
      body,
      extra: headers,
      submitted: undefined,
    })
  }

  async #navigate(navigation: Navigation): Promise<Page> {
    let { method, body, urls } = navigation
    for (let hops = 0; hops <= MOST_REDIRECTS; hops += 1) {
      const url = urls[urls.length - 1] ?? urls[0]
      this.#checkFormAction(navigation.submitted, url)
      const { status, headers, html } = await this.#request({ ...navigation, method, body, urls }, url)
      const location = status >= 300 && status < 400 ? headers.location : undefined
      if (location === undefined) return this.#show(new Page(url, status, headers, html))
      const target = new URL(location, url)
      if (this.#stopsAt(target)) {
        this.#checkFormAction(navigation.submitted, target)
        return this.#show(new Page(url, status, headers, html, target))
      }
      const keepsMethod = status === 307 || status === 308
      if (!keepsMethod && method !== 'HEAD') [method, body] = ['GET', undefined]
      urls = [...urls, target]
    }
    throw new Error(`more than ${MOST_REDIRECTS} redirects: ${urls.map((url) => url.href).join(' → ')}`)
  }

  async #request(navigation: Navigation, url: URL): Promise<Answer> {
    const { method, body, extra } = navigation
    const headers = { ...navigationHeaders(navigation), ...extra }
    const cookie = this.cookies.header({ url, method, crossSite: crossSite(navigation) })
    if (cookie !== undefined) headers.cookie = cookie
    if (body !== undefined) headers['content-type'] = 'application/x-www-form-urlencoded'
    this.history.push(`${method} ${url.href}`)
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const outgoing = send(url, { method, headers, agent: false, ...(this.#ca && { ca: this.#ca }) })
    outgoing.end(body)
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    const html = (await readBody(response)).toString()
    for (const line of response.headers['set-cookie'] ?? []) this.cookies.store(url, line)
    return { status: response.statusCode ?? 0, headers: response.headers, html }
  }

  #stopsAt(target: URL): boolean {
    return !/^https?:$/.test(target.protocol) || this.stopAt.some((prefix) => target.href.startsWith(prefix))
  }

  #checkFormAction(page: Page | undefined, target: URL): void {
    const policies = page?.headers['content-security-policy']
    if (!page || policies === undefined) return
    if (!formActionAllows([policies].flat(), page.url, target)) {
      throw new Error(`blocked by form-action of ${page.url.href}: ${target.href}`)
    }
  }

  #show(page: Page): Page {
    this.#page = page
    return page
  }
}

function initiatorOf(from: Page | URL): Initiator {
  if (from instanceof URL) return { url: from, referrerPolicy: '' }
  return { url: from.url, referrerPolicy: String(from.headers['referrer-policy'] ?? '') }
}
