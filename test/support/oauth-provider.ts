// What an MCP client application keeps: registration, tokens, verifier. Its user is a Person with a Browser.
import { randomBytes } from 'node:crypto'
import type { OAuthDiscoveryState } from '@modelcontextprotocol/client'
import type {
  OAuthClientInformationMixed,
  OAuthClientMetadata,
  OAuthTokens,
} from '@modelcontextprotocol/sdk/shared/auth.js'
import { Browser } from './browser.ts'
import type { Page } from './page.ts'
import { type Person, signIn } from './person.ts'

export interface ProviderOptions {
  person: Person
  browser?: Browser
  redirectUrl?: string
  clientMetadata?: Partial<OAuthClientMetadata>
  /** A static client: nothing is registered then. */
  clientInformation?: OAuthClientInformationMixed
}

export class AuthorizationFailed extends Error {
  readonly error: string
  readonly callback: URL

  constructor(callback: URL) {
    super(`the authorization ended with ${callback.searchParams.get('error')}`)
    this.error = callback.searchParams.get('error') ?? ''
    this.callback = callback
  }
}

/** Fits the OAuthClientProvider of both SDKs; like most v1 applications it discovers anew each time. */
export class MemoryProvider {
  readonly person: Person
  readonly browser: Browser
  readonly redirectUrl: string
  readonly clientMetadata: OAuthClientMetadata
  /** Every token response received, the latest last. */
  readonly received: OAuthTokens[] = []
  readonly invalidated: string[] = []
  /** One entry per sign-in: the authorization URL, the pages seen, the callback. */
  readonly signIns: { authorizationUrl: URL; pages: Page[]; callback: URL }[] = []
  clientInfo: OAuthClientInformationMixed | undefined
  current: OAuthTokens | undefined
  #verifier = ''
  #state = ''

  constructor({ person, browser, redirectUrl, clientMetadata, clientInformation }: ProviderOptions) {
    // Nothing listens there: the browser stops at it.
    this.redirectUrl =
      redirectUrl ?? `http://127.0.0.1:${40_000 + Math.floor(Math.random() * 9_000)}/callback`
    this.person = person
    this.browser = browser ?? new Browser()
    this.browser.stopAt.push(this.redirectUrl)
    this.clientInfo = clientInformation
    this.clientMetadata = {
      client_name: 'Test client',
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      ...clientMetadata,
    }
  }

  state(): string {
    this.#state = randomBytes(16).toString('base64url')
    return this.#state
  }

  clientInformation(): OAuthClientInformationMixed | undefined {
    return this.clientInfo
  }

  saveClientInformation(info: OAuthClientInformationMixed): void {
    this.clientInfo = info
  }

  tokens(): OAuthTokens | undefined {
    return this.current
  }

  saveTokens(tokens: OAuthTokens): void {
    this.current = tokens
    this.received.push(tokens)
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier
  }

  codeVerifier(): string {
    return this.#verifier
  }

  invalidateCredentials(scope: 'all' | 'client' | 'tokens' | 'verifier' | 'discovery'): void {
    this.invalidated.push(scope)
    if (scope === 'all' || scope === 'client') this.clientInfo = undefined
    if (scope === 'all' || scope === 'tokens') this.current = undefined
  }

  async redirectToAuthorization(authorizationUrl: URL): Promise<void> {
    const { pages, callback } = await signIn(this.browser, authorizationUrl, this.person)
    this.signIns.push({ authorizationUrl, pages, callback })
  }

  /** The parameters of the latest callback, checked as a careful client checks them. */
  callback(): URLSearchParams {
    const callback = this.signIns.at(-1)?.callback
    if (!callback) throw new Error('the client was not authorized')
    const { searchParams } = callback
    if (searchParams.get('state') !== this.#state) throw new Error('the callback carries a foreign state')
    if (searchParams.has('error')) throw new AuthorizationFailed(callback)
    return searchParams
  }
}

/** Remembers what was discovered, as SDK v2 expects, so that the callback is checked against the issuer of the start. */
export class DiscoveringProvider extends MemoryProvider {
  discovered: OAuthDiscoveryState | undefined

  saveDiscoveryState(state: OAuthDiscoveryState): void {
    this.discovered = state
  }

  discoveryState(): OAuthDiscoveryState | undefined {
    return this.discovered
  }

  override invalidateCredentials(scope: 'all' | 'client' | 'tokens' | 'verifier' | 'discovery'): void {
    super.invalidateCredentials(scope)
    if (scope === 'all' || scope === 'discovery') this.discovered = undefined
  }
}
