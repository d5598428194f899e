// What turns a registered URI into one that only looks like it: another port, host, scheme, letter or spelling.
import { pick } from './check.ts'
import type { Parts } from './redirect-parts.ts'

type Change = (uri: string, number: number) => string

const splice = (uri: string, number: number, cut: number, text: string) => {
  const at = number % (uri.length + 1)
  return uri.slice(0, at) + text + uri.slice(at + cut)
}
const ASCII = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)) as [
  string,
  ...string[],
]
const PIECES: Parts = [
  '/',
  '?',
  '#',
  '@',
  '\\',
  '.',
  '..',
  '/../',
  '%2f',
  '%2F',
  '%2e',
  '%00',
  ':',
  ':80',
  ':443',
  ' ',
  '\t',
  '\n',
  '\u0000',
  '\u200b',
  'user@',
  '.evil.example',
  '@evil.example',
  '*',
  '&',
  ';',
]
const PORTS: Parts = [
  '',
  ':1',
  ':80',
  ':443',
  ':3118',
  ':65535',
  ':65536',
  ':99999',
  ':0',
  ':00080',
  ':080',
  ':',
  ':-1',
  ':+1',
  ':8e1',
  ':１',
  ':80:80',
  ':80@evil.example',
  ':100000',
  ':0x50',
  ': 80',
]
const OTHER_HOSTS: Parts = [
  'localhost',
  '127.0.0.1',
  '[::1]',
  'LOCALHOST',
  'localhost.',
  'ⓛocalhost',
  '127.1',
  '127.0.0.2',
  '0x7f.0.0.1',
  '[::ffff:127.0.0.1]',
  '[0:0:0:0:0:0:0:1]',
  'localhost.evil.example',
  'evil.example',
  '0.0.0.0',
  '2130706433',
  'localhost@evil.example',
  'localhost%2eevil.example',
  '127。0。0。1',
  '[::1%25lo]',
]
const OTHER_SCHEMES: Parts = ['http', 'https', 'HTTP', 'Https', 'cursor', 'javascript', 'ws']

const AUTHORITY = /^([a-z.]+:\/\/)([^/?#]*?)(:\d+)?(?=[/?#]|$)/

export const CHANGES: readonly [Change, ...Change[]] = [
  (uri) => uri,
  (uri, number) => uri.replace(AUTHORITY, (_, scheme, host) => `${scheme}${host}${pick(PORTS, number)}`),
  (uri, number) => uri.replace(AUTHORITY, (_, scheme, host) => `${scheme}${host}:${number % 70_000}`),
  (uri, number) =>
    uri.replace(AUTHORITY, (_, scheme, __, port = '') => `${scheme}${pick(OTHER_HOSTS, number)}${port}`),
  (uri, number) => uri.replace(/^[a-z.]+/, pick(OTHER_SCHEMES, number)),
  (uri, number) => splice(uri, number >>> 8, 0, pick(PIECES, number)),
  (uri, number) => splice(uri, number >>> 8, 1, pick(ASCII, number)),
  (uri, number) => splice(uri, number, 1, ''),
  (uri, number) => uri + pick(PIECES, number),
  (uri, number) => uri.slice(0, number % uri.length),
  (uri, number) => {
    const at = number % uri.length
    const letter = uri.charAt(at)
    const swapped = letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()
    return splice(uri, at, 1, swapped)
  },
  (uri, number) => {
    const at = number % uri.length
    return splice(uri, at, 1, `%${uri.charCodeAt(at).toString(16).padStart(2, '0')}`)
  },
]
