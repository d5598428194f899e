// Screen 1: who asks, where the answer goes, for what, and who you are. One form, no script.
import { displayName, html, type Markup } from './html.ts'
import { layout } from './layout.ts'

export interface ConsentView {
  readonly brand: string
  /** What the client calls itself; anyone may register any name. */
  readonly clientName: string | undefined
  /** The host that serves the client's metadata document: proven, unlike its name. */
  readonly clientHost: string | undefined
  readonly redirectUri: string
  readonly route: {
    readonly title: string
    readonly description?: string | undefined
    readonly resource: string
  }
  readonly upstream: {
    readonly host: string
    readonly asksForAccount: boolean
    /** Screen 2 is a page of ours for a key of their own. */
    readonly asksForKey?: boolean
    /** The one that this person has connected. */
    readonly account?:
      | { readonly name: string | undefined; readonly connectedAtMs: number | undefined }
      | undefined
    readonly scopes: readonly string[]
  }
  readonly transaction: string
  /** Of the list of scopes: says which one was answered. */
  readonly scopesDigest: string
  readonly csrf: string
  /** The signed-in user's name; undefined asks for name and password, `anonymous` for nothing. */
  readonly user:
    | { readonly kind: 'signed_in'; readonly name: string }
    | { readonly kind: 'password' | 'anonymous' }
  readonly error?: string | undefined
  readonly username?: string | undefined
}

export function consentPage(view: ConsentView): string {
  const name = displayName(view.clientName ?? '') || 'An unnamed client'
  const title = `${name} wants to use ${view.route.title}`
  return layout(
    view.brand,
    title,
    html`<h1>${name} wants to use ${view.route.title}</h1>
${view.error === undefined ? undefined : html`<p class="error" role="alert">${view.error}</p>`}
${details(view, name)}
${destinationNote(view.redirectUri)}
<form method="post" action="${view.user.kind === 'password' ? '/login' : '/consent'}">
<input type="hidden" name="transaction" value="${view.transaction}">
<input type="hidden" name="scopes" value="${view.scopesDigest}">
<input type="hidden" name="csrf" value="${view.csrf}">
${identity(view)}
<div class="actions">
<button class="primary" name="decision" value="allow">${view.user.kind === 'password' ? 'Sign in and allow' : 'Allow'}</button>
<button name="decision" value="deny" formnovalidate>Deny</button>
${view.upstream.account === undefined ? undefined : html`<button class="wide" name="decision" value="relink">Allow with another ${view.upstream.asksForKey ? 'key' : 'upstream account'}</button>`}
</div>
</form>`,
  )
}

function details(view: ConsentView, name: string): Markup {
  const { upstream, route } = view
  return html`<dl>
<div><dt>Client</dt><dd>${name}<span class="tag">unverified name</span>${view.clientHost === undefined ? undefined : html`<br>described by <strong>${view.clientHost}</strong>`}</dd></div>
<div><dt>Returns to</dt><dd><strong>${destination(view.redirectUri)}</strong></dd></div>
<div><dt>Server</dt><dd>${route.title}<br><code>${route.resource}</code>${route.description === undefined ? undefined : html`<br>${route.description}`}</dd></div>
<div><dt>Upstream</dt><dd>${upstream.host}${upstreamAccount(upstream)}</dd></div>
${upstream.scopes.length === 0 ? undefined : html`<div><dt>${upstream.asksForAccount ? 'Upstream scopes' : 'Scopes'}</dt><dd><ul>${upstream.scopes.map((scope) => html`<li><code>${scope}</code></li>`)}</ul></dd></div>`}
</dl>`
}

function upstreamAccount({ asksForAccount, asksForKey, account }: ConsentView['upstream']): Markup | string {
  if (account === undefined && asksForKey) return ' (you will be asked for a key of yours next)'
  if (account === undefined) return asksForAccount ? ' (you may be asked to sign in there next)' : ''
  const name = displayName(account.name ?? '')
  if (name !== '') return html`<br>connected as <strong>${name}</strong>`
  const { connectedAtMs } = account
  return connectedAtMs === undefined
    ? html`<br>connected`
    : html`<br>connected on ${new Date(connectedAtMs).toISOString().slice(0, 10)}`
}

/** The host is what a person can judge; a private-use scheme has none, so it is shown whole. */
function destination(redirectUri: string): string {
  const url = new URL(redirectUri)
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.host : redirectUri
}

// Any program on this computer can listen on a loopback port and claim any name (spec-C7, sec-R13).
function destinationNote(redirectUri: string): Markup {
  const { protocol } = new URL(redirectUri)
  return protocol === 'https:'
    ? html`<p class="note">Allow this only if you just started it and recognise the address above. The client chose its name itself.</p>`
    : html`<p class="note">This goes to a program on this computer. Allow it only if you just started it yourself: any program can claim this name.</p>`
}

function identity(view: ConsentView): Markup | undefined {
  if (view.user.kind === 'anonymous') return undefined
  if (view.user.kind === 'signed_in') {
    return html`<p>Signed in as <strong>${view.user.name}</strong>. <button class="link" name="decision" value="switch" formnovalidate>Use another account</button></p>`
  }
  return html`<label for="username">User name</label>
<input type="text" id="username" name="username" value="${view.username}" autocomplete="username" autocapitalize="none" spellcheck="false" required>
<label for="password">Password</label>
<input type="password" id="password" name="password" autocomplete="current-password" required>`
}
