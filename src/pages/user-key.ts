// Screen 2 where the upstream has no sign-in: a person pastes a key of their own. One form, no script; the key is never
// shown again.
import { displayName, html, type Markup } from './html.ts'
import { layout } from './layout.ts'

export interface UserKeyView {
  readonly brand: string
  readonly route: { readonly title: string; readonly path: string }
  /** Every host that the key will be sent to. */
  readonly hosts: readonly string[]
  readonly instructions: string | undefined
  readonly helpUrl: string | undefined
  /** Who is signed in; undefined where nobody is asked. */
  readonly user: string | undefined
  readonly state: string
  readonly csrf: string
  readonly error?: string | undefined
}

export function userKeyPage(view: UserKeyView): string {
  const { route, error, user } = view
  const title = `Your key for ${route.title}`
  return layout(
    view.brand,
    title,
    html`<h1>${title}</h1>
${error === undefined ? undefined : html`<p class="error" role="alert">${error}</p>`}
<p>${view.instructions ?? `${route.title} asks for a key of your own. Copy one there and paste it here.`}${help(view)}</p>
<dl>
<div><dt>Sent to</dt><dd>${view.hosts.map((host) => html`<strong>${host}</strong>, `)}and nowhere else</dd></div>
${user === undefined ? undefined : html`<div><dt>Used for</dt><dd>requests of <strong>${displayName(user)}</strong></dd></div>`}
<div><dt>Kept</dt><dd>encrypted, until you paste another one</dd></div>
</dl>
<form method="post" action="${route.path}" autocomplete="off">
<input type="hidden" name="state" value="${view.state}">
<input type="hidden" name="csrf" value="${view.csrf}">
<label for="key">Key</label>
<input type="password" id="key" name="key" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="4096" required autofocus>
<div class="actions">
<button class="primary" name="decision" value="connect">Connect</button>
<button name="decision" value="deny" formnovalidate>Cancel</button>
</div>
</form>`,
  )
}

// Another site learns nothing of this page, whose address carries the sign-in.
function help({ helpUrl }: UserKeyView): Markup | undefined {
  return helpUrl === undefined
    ? undefined
    : html` <a href="${helpUrl}" target="_blank" rel="noopener noreferrer">Where to find it</a>`
}
