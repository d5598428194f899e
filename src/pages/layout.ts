// The frame around every page, and the headers that keep it from being framed, cached, scripted or leaked.
import { createHash } from 'node:crypto'
import { html, type Markup, raw } from './html.ts'
import { STYLE } from './style.ts'

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

/**
 * No `form-action`: browsers apply it to the redirect after the post as well, and would stop the way back to the
 * client (sec-L10). `same-origin` and not `no-referrer`, which turns the form's Origin into `null` (design §6.11).
 */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'`,
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
}

export function layout(brand: string, title: string, content: Markup): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · ${brand}</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<main>
<p class="brand">${brand}</p>
${content}
</main>
</body>
</html>
`.markup
}
