// The parts that redirect URIs are put together from, each known to be good or bad where it stands.

/** A list with dangerous schemes on it: those that a browser handles itself stay refused all the same. */
export const LISTED_SCHEMES = [
  'cursor',
  'com.example.app',
  'http',
  'javascript',
  'data',
  'file',
  'ws',
  'blob',
]

export type Parts = readonly [string, ...string[]]

export interface Choice {
  readonly good: Parts
  readonly bad: Parts
}

const LOOPBACK: Parts = ['localhost', '127.0.0.1', '[::1]']

/** None is empty: it would make up for a slash too many before it. */
const WEB_HOST: Choice = {
  good: [
    'a.example',
    'localhost',
    '127.0.0.1',
    '[::1]',
    '203.0.113.5',
    '[2001:db8::1]',
    'xn--bcher-kva.example',
    'localhost.',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '0.0.0.0',
    'a-b.c_d.example',
  ],
  bad: [
    'A.example',
    'LOCALHOST',
    'ⓛocalhost',
    'ｌocalhost',
    '127.1',
    '0x7f.1',
    '2130706433',
    '0177.0.0.1',
    '127.0.0.1.',
    '127。0。0。1',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::1',
    '[fe80::1%25eth0]',
    'bücher.example',
    'ﬁ.example',
    '%6cocalhost',
    'a%2eexample',
    '*.a.example',
    'a b.example',
    'a\u00ad.example',
    '256.0.0.1',
  ],
}

/** Hosts that http may not have, though https may. */
const HTTP_HOST: Choice = {
  good: LOOPBACK,
  bad: [
    'a.example',
    'localhost.',
    '127.0.0.2',
    '0.0.0.0',
    '[::2]',
    '[::ffff:7f00:1]',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'a.localhost',
    '192.168.1.10',
    ...WEB_HOST.bad,
  ],
}

const USERINFO: Choice = {
  good: [''],
  bad: ['user@', 'user:pw@', '@', ':@', 'localhost:80@', 'a.example%2f@'],
}

const PORT: Choice = {
  good: ['', '', ':8443', ':1', ':65535', ':3118'],
  bad: [':', ':08', ':65536', ':*', ':+1', ':１'],
}

const PATH: Choice = {
  good: [
    '/cb',
    '/',
    '',
    '/a/b;v=1',
    '/%2F',
    '/%2f..%2f',
    '/%41',
    '/a//b',
    "/-._~!$&'()+,=:",
    '/...',
    '/cb%00',
    '/%252e%252e',
  ],
  bad: [
    '/a/../b',
    '/..',
    '/a/./b',
    '/.',
    '/%2e%2e/b',
    '/%2E/b',
    '/.%2e',
    '/a b',
    '/é',
    '/a\tb',
    '/a\nb',
    '/"',
    '/<',
    '/{x}',
    '/`',
    '/*',
    '/a@b',
    '/\u200b',
    '/\u202e',
    '/\0',
    '\u0000',
  ],
}

const SLASHES: Choice = { good: ['://'], bad: [':/', ':', ':///', ':\\\\', ':/\\', ':// ', ':\t//'] }
const WEB_PATH: Choice = { good: PATH.good, bad: ['\\a', '/a\\b', '\\@evil.example', ...PATH.bad] }

/** An apostrophe is rewritten only here, and only in web URLs. */
const QUERY: Choice = {
  good: [
    '',
    '',
    '?',
    '?x=1',
    '?x=%20&y=a|b',
    '?a/../b',
    '?u=https://evil.example/',
    '?code=1&state=2',
    '?a\\b',
  ],
  bad: ['?a b', '?é', '?"', '?<', '?a@b', '?*', '?\n'],
}
const WEB_QUERY: Choice = { good: QUERY.good, bad: ["?a'b", ...QUERY.bad] }

const FRAGMENT: Choice = { good: [''], bad: ['#', '#x', '#/cb', '#@evil.example'] }
/** Parsers cut these off without a word. */
export const AROUND: Choice = { good: [''], bad: [' ', '\n', '\t', '\u0000', '\u00a0', '\ufeff'] }

/** `scheme` is good or bad by itself; http on a foreign host is the host's fault. */
interface Kind {
  readonly scheme: Choice
  readonly parts: readonly Choice[]
}

const web = (scheme: Choice, host: Choice, defaultPort: string): Kind => ({
  scheme,
  parts: [
    SLASHES,
    USERINFO,
    host,
    { good: PORT.good, bad: [defaultPort, ...PORT.bad] },
    WEB_PATH,
    WEB_QUERY,
    FRAGMENT,
  ],
})

export const KINDS: readonly [Kind, ...Kind[]] = [
  web({ good: ['https'], bad: ['HTTPS', 'hTtps', 'ws', 'wss', 'ftp'] }, WEB_HOST, ':443'),
  web({ good: ['http'], bad: ['HTTP', 'Http', 'ws', 'ftp'] }, HTTP_HOST, ':80'),
  {
    scheme: {
      good: ['cursor', 'com.example.app'],
      bad: [
        'javascript',
        'data',
        'blob',
        'vscode',
        'cursors',
        'Cursor',
        'com.example.app.evil',
        'view-source',
        'mailto',
        'x',
      ],
    },
    parts: [
      {
        good: ['://x', ':', '://X.y', '://anysphere.cursor-retrieval'],
        bad: ['://u@x', '://*', '://x y', ':\t//x'],
      },
      {
        good: ['/cb', '/', '/a//b', '/%2F', '/A'],
        bad: ['/a/../b', '/.', '/a b', '/é', '/*', '/a@b', '/\n'],
      },
      QUERY,
      FRAGMENT,
    ],
  },
]
