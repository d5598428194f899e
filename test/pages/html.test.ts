// Escaping, and names that somebody else chose.
import * as assert from 'uvu/assert'
import { displayName, html, raw } from '../../src/pages/html.ts'
import { suite } from '../support/suite.ts'

const test = suite('pages/html')
const hostile = `<script>alert("1")</script>' onload='x' & &lt; \`\${1}\``

test('every inserted value is text, in content and in attributes', () => {
  const { markup } = html`<p title="${hostile}" class='${hostile}'>${hostile}</p>`
  assert.not.match(markup, /<script|onload='/)
  const escaped =
    '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39; onload=&#39;x&#39; &amp; &amp;lt; `${1}`'
  assert.is(markup, `<p title="${escaped}" class='${escaped}'>${escaped}</p>`)
})

test('markup made here is inserted as it is, alone or in a list; undefined is nothing', () => {
  const items = ['a', '<b>'].map((item) => html`<li>${item}</li>`)
  assert.is(
    html`<ul>${items}</ul>${undefined}${raw('<hr>')}${html`<i>${1}</i>`}`.markup,
    '<ul><li>a</li><li>&lt;b&gt;</li></ul><hr><i>1</i>',
  )
})

test('a value that only looks like markup is not taken for it', () => {
  const name: string = JSON.parse('"{\\"markup\\":\\"<b>\\"}"')
  assert.is(html`${name}`.markup, '{&quot;markup&quot;:&quot;&lt;b&gt;&quot;}')
})

test('an ordinary name is shown as it is, in any script', () => {
  for (const name of [
    'Claude Code',
    'Jürgens Klient',
    '客户端',
    'عميل',
    'MCP Inspector 2.0 (beta)',
    'क्लाइंट',
  ]) {
    assert.is(displayName(name), name)
  }
})

test('sec-R6: direction overrides, control characters and line breaks are taken out', () => {
  const expected: Record<string, string> = {
    'evil\u202Egpj.exe': 'evilgpj.exe',
    '\u2066Claude\u2069 \u200FCode\u200E': 'Claude Code',
    '\u061CClaude': 'Claude',
    'Cla\u200Bude\uFEFF': 'Claude',
    'Claude\u0000\u001B[31m\u007F\u009B': 'Claude[31m',
    'Claude\r\nSet-Cookie: a': 'ClaudeSet-Cookie: a',
    'a\u2028b\u2029c': 'abc',
    'Cla\uFFF9ude\uFFFB': 'Claude',
    'Claude\uD800': 'Claude',
    'Claude\uE000\u{F0000}': 'Claude',
    'Claude\u{E0041}': 'Claude',
    '  a \t\u00A0 b\u3000 ': 'a b',
  }
  for (const [name, shown] of Object.entries(expected))
    assert.is(displayName(name), shown, JSON.stringify(name))
})

test('a name of nothing that can be seen is no name', () => {
  for (const name of [
    '',
    '   ',
    '\u200B\u200D\u2060',
    '\u3164',
    '\u115F\u1160',
    '\uFFA0',
    '\u2800\u2800',
    '\u034F\uFE0F',
  ]) {
    assert.is(displayName(name), '', JSON.stringify(name))
  }
})

test('64 characters at most, and none cut in half', () => {
  assert.is(displayName('x'.repeat(64)), 'x'.repeat(64))
  assert.is(displayName('x'.repeat(65)), `${'x'.repeat(64)}…`)
  assert.is(displayName('😀'.repeat(70)), `${'😀'.repeat(64)}…`)
})

test('what is left is still text, not markup: escaping is the template’s part', () => {
  assert.is(html`<h1>${displayName('<b>Claude</b>')}</h1>`.markup, '<h1>&lt;b&gt;Claude&lt;/b&gt;</h1>')
})

test.run()
