// What the browser shows: the page's text, its links, and its forms as a person fills them in.
import type { IncomingHttpHeaders } from 'node:http'
import { type HTMLElement, parse } from 'node-html-parser'

export type FormValues = Record<string, string | boolean | string[]>
export interface Submission {
  url: URL
  method: string
  fields: [name: string, value: string][]
}

export class Page {
  readonly url: URL
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly html: string
  /**
   * Where the browser was sent without going there: a redirect to one of its stop prefixes or to an app's own
   * scheme. The page is then the redirect itself.
   */
  readonly sentTo: URL | undefined
  readonly root: HTMLElement

  constructor(url: URL, status: number, headers: IncomingHttpHeaders, html: string, sentTo?: URL) {
    this.url = url
    this.status = status
    this.headers = headers
    this.html = html
    this.sentTo = sentTo
    this.root = parse(html)
  }

  /** The visible text, white space collapsed. */
  get text(): string {
    const body = parse(this.html)
    for (const hidden of body.querySelectorAll('style, script, template, title')) hidden.remove()
    return body.structuredText.replace(/\s+/g, ' ').trim()
  }

  get title(): string {
    return this.root.querySelector('title')?.textContent.trim() ?? ''
  }

  get forms(): Form[] {
    return this.root.querySelectorAll('form').map((element) => new Form(this, element))
  }

  /** The first form, or the one that fits the selector; an error that shows the page when there is none. */
  form(selector = 'form'): Form {
    const element = this.root.querySelector(selector)
    if (element?.tagName !== 'FORM') throw new Error(`no form ${selector} on ${this}`)
    return new Form(this, element)
  }

  toString(): string {
    return `${this.status} ${this.url.href}: ${this.text.slice(0, 300)}`
  }
}

export class Form {
  readonly page: Page
  readonly element: HTMLElement

  constructor(page: Page, element: HTMLElement) {
    this.page = page
    this.element = element
  }

  /** What the page says about itself, before anyone types. */
  get values(): Record<string, string> {
    return Object.fromEntries(this.#controls().flatMap((control) => defaults(control)))
  }

  get buttons(): string[] {
    return this.#buttons().map((button) => label(button))
  }

  has(selector: string): boolean {
    return this.element.querySelector(selector) !== null
  }

  /** A button is named by its text, its value or its name; without one the first is pressed, as Enter does. */
  fill(values: FormValues = {}, buttonName?: string): Submission {
    const buttons = this.#buttons()
    const named = (button: HTMLElement) =>
      [label(button), button.getAttribute('value'), button.getAttribute('name')].includes(buttonName)
    const button = buttonName === undefined ? buttons[0] : buttons.find(named)
    if (buttonName !== undefined && !button) {
      throw new Error(`no button ${buttonName} among ${this.buttons.join(', ')} on ${this.page}`)
    }
    const typed = new Map(Object.entries(values))
    const validate = !this.element.hasAttribute('novalidate') && !button?.hasAttribute('formnovalidate')
    const known = new Set(this.#controls().map((control) => control.getAttribute('name')))
    for (const name of typed.keys()) {
      if (!known.has(name)) throw new Error(`no field ${name} in the form on ${this.page}`)
    }
    const fields = this.#controls().flatMap((control) => {
      const entered = enter(control, typed.get(control.getAttribute('name') ?? ''))
      const empty = entered.every(([, value]) => value === '')
      if (validate && empty && control.hasAttribute('required')) {
        throw new Error(`the browser wants ${control.getAttribute('name')} filled in`)
      }
      return entered
    })
    const pressed = button?.getAttribute('name')
    if (pressed) fields.push([pressed, button?.getAttribute('value') ?? ''])
    const action = button?.getAttribute('formaction') ?? this.element.getAttribute('action') ?? ''
    const method = (this.element.getAttribute('method') ?? 'get').toUpperCase()
    return { url: new URL(action || this.page.url.href, this.page.url), method, fields }
  }

  #controls(): HTMLElement[] {
    const ofForm = this.element.querySelectorAll('input, select, textarea')
    const id = this.element.getAttribute('id')
    const outside = id ? this.page.root.querySelectorAll(`[form="${id}"]`) : []
    return [...ofForm, ...outside].filter((control) => {
      const type = control.getAttribute('type') ?? 'text'
      return (
        control.hasAttribute('name') &&
        !control.hasAttribute('disabled') &&
        !/^(submit|image|button|reset)$/.test(type)
      )
    })
  }

  #buttons(): HTMLElement[] {
    return this.element
      .querySelectorAll('button, input[type=submit]')
      .filter(
        (button) =>
          !button.hasAttribute('disabled') && !/^(button|reset)$/.test(button.getAttribute('type') ?? ''),
      )
  }
}

const label = (button: HTMLElement) =>
  button.tagName === 'INPUT'
    ? (button.getAttribute('value') ?? 'Submit')
    : button.textContent.replace(/\s+/g, ' ').trim()

function defaults(control: HTMLElement): [string, string][] {
  const name = control.getAttribute('name') ?? ''
  if (control.tagName === 'TEXTAREA') return [[name, control.textContent]]
  if (control.tagName === 'SELECT') {
    const options = control.querySelectorAll('option')
    const chosen = options.filter((option) => option.hasAttribute('selected'))
    const effective = chosen.length > 0 ? chosen : options.slice(0, 1)
    return effective.map((option) => [name, option.getAttribute('value') ?? option.textContent.trim()])
  }
  const value = control.getAttribute('value')
  if (!isBox(control)) return [[name, value ?? '']]
  return control.hasAttribute('checked') ? [[name, value ?? 'on']] : []
}

const isBox = (control: HTMLElement) => /^(checkbox|radio)$/.test(control.getAttribute('type') ?? '')

function enter(control: HTMLElement, typed: string | boolean | string[] | undefined): [string, string][] {
  if (typed === undefined) return defaults(control)
  const name = control.getAttribute('name') ?? ''
  const wanted = [typed].flat()
  if (!isBox(control)) return wanted.map((value) => [name, String(value)])
  const value = control.getAttribute('value') ?? 'on'
  return wanted.includes(true) || wanted.includes(value) ? [[name, value]] : []
}
