// Asked only when a client names no route and there are several: which server is it for?
import { html } from './html.ts'
import { layout } from './layout.ts'

export interface Choice {
  readonly title: string
  readonly resource: string
  readonly href: string
}

export function pickerPage(brand: string, choices: readonly Choice[]): string {
  return layout(
    brand,
    'Choose a server',
    html`<h1>Which server do you want to connect?</h1>
<p>The client did not say. You will see who asks before anything is allowed.</p>
<div class="choices">${choices.map(({ title, resource, href }) => html`<a class="button" href="${href}">${title}<br><code>${resource}</code></a>`)}</div>`,
  )
}
