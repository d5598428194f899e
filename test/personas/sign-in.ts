// One sign-in of a persona: the authorization request in its habit, the screens that its person meets, and the code.
import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { challengeOf } from '../security/client.ts'
import { Browser } from '../support/browser.ts'
import type { Page } from '../support/page.ts'
import { decide, type Person } from '../support/person.ts'
import type { Found } from './discovery.ts'
import type { Persona, ScopeSource } from './persona.ts'

export interface SignedIn {
  readonly code: string
  readonly verifier: string
  readonly state: string | undefined
  readonly challenge: string
  /** What the person saw, in order. */
  readonly pages: readonly Page[]
}

export async function signIn(
  persona: Persona,
  clientId: string,
  found: Found,
  mcpUrl: string,
  person: Person,
): Promise<SignedIn> {
  const verifier = randomBytes(48).toString('base64url')
  const challenge = challengeOf(verifier)
  const { state = randomBytes(16).toString('base64url') } = persona
  const sent = state === 'none' ? undefined : state
  const url = new URL(found.endpoints.authorization)
  const parameters = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: persona.redirectUri,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: sent,
    scope: scopeOf(persona, found),
    resource: resourceOf(persona, found, mcpUrl),
    ...persona.extra,
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  const browser = new Browser({ stopAt: [persona.redirectUri] })
  const { callback, pages } = await walkScreens(browser, url, mcpUrl, person)
  return {
    code: checkCallback(persona, callback, sent, found.issuer),
    verifier,
    challenge,
    state: sent,
    pages,
  }
}

export function scopeOf({ scope, addsScope }: Persona, found: Found): string | undefined {
  const listed = (document: Found['server']) =>
    (document?.scopes_supported as string[] | undefined)?.join(' ')
  const value = (source: ScopeSource) => {
    if (typeof source === 'object') return source.always
    if (source === 'challenge') return found.challengeScope
    return listed(source === 'resource' ? found.resource : found.server)
  }
  const [first] = scope.map(value).filter((text) => text !== undefined)
  return addsScope === undefined ? first : [first, addsScope].filter((text) => text !== undefined).join(' ')
}

export function resourceOf(persona: Persona, { resource }: Found, mcpUrl: string): string | undefined {
  const values = { typed: mcpUrl, slash: `${mcpUrl}/`, none: undefined }
  if (persona.resource !== 'document') return values[persona.resource]
  return resource === undefined ? undefined : String(resource.resource)
}

const MOST_PAGES = 8

/** As `signIn` of test/support does, and picks its server where the gateway has to ask for which one. */
async function walkScreens(browser: Browser, url: URL, mcpUrl: string, person: Person) {
  const pages: Page[] = []
  let page = await browser.goto(url)
  while (page.sentTo === undefined) {
    pages.push(page)
    assert.is(page.status, 200, String(page))
    assert.ok(pages.length <= MOST_PAGES, 'the sign-in ends')
    const choice = page.root
      .querySelectorAll('.choices a')
      .find((link) => link.querySelector('code')?.textContent === mcpUrl)
    const href = choice?.getAttribute('href')
    page =
      href === undefined
        ? await decide(browser, page, person)
        : await browser.goto(new URL(href, page.url), { from: page })
  }
  return { callback: page.sentTo, pages }
}

function checkCallback(persona: Persona, callback: URL, state: string | undefined, issuer: string): string {
  assert.ok(callback.href.startsWith(`${persona.redirectUri}?`), callback.href)
  assert.is(callback.hash, '')
  assert.equal(
    callback.searchParams.getAll('state'),
    state === undefined ? [] : [state],
    'verbatim, or not at all',
  )
  assert.equal(callback.searchParams.getAll('iss'), [issuer], 'byte for byte (RFC 9207)')
  const codes = callback.searchParams.getAll('code')
  assert.is(codes.length, 1, callback.href)
  return codes[0] ?? ''
}
