// A page that only says something: errors, and what to do about them.
import { html } from './html.ts'
import { layout } from './layout.ts'

export interface Message {
  readonly title: string
  readonly text: string
}

export function messagePage(brand: string, { title, text }: Message): string {
  return layout(
    brand,
    title,
    html`<h1>${title}</h1>
<p>${text}</p>`,
  )
}
