// docs/upstream-errors.md, written from the tables that its test runs.
import { type Actor, CALL_ANSWERS, REFRESH_ANSWERS, type Row, SIGN_IN_ANSWERS } from './upstream-answers.ts'
import {
  API_KEY_ANSWERS,
  CLIENT_CREDENTIALS_ANSWERS,
  KEY_PAGE_ANSWERS,
  type KeyPageRow,
  type ServiceRow,
  TOKEN_EXCHANGE_ANSWERS,
} from './upstream-answers-services.ts'
import { CALLBACK_ANSWERS, LOOKUP_ANSWERS } from './upstream-answers-sign-in.ts'

const ACTS: Readonly<Record<Actor, string>> = {
  nobody: 'nobody',
  client: 'the client: as MCP says',
  person: 'the person: sign in again',
  operator: 'the operator: look at the log',
  upstream: 'the upstream: it passes',
}

const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`

/** The columns in the order of their heads; each cell from its row. */
function table<R>(rows: readonly R[], columns: Readonly<Record<string, (row: R) => string>>): string {
  const heads = Object.keys(columns)
  const cells = Object.values(columns)
  return [heads, heads.map(() => '---'), ...rows.map((row) => cells.map((cell) => cell(row)))]
    .map(line)
    .join('')
}

const acts = (row: { readonly acts: Actor }) => ACTS[row.acts]
const answer = (row: { readonly answer: string }) => row.answer
const sentBack = (error: string | undefined) => (error === undefined ? 'a code' : `\`${error}\``)

const outcomes = (rows: readonly Row[]) =>
  table(rows, {
    'the upstream answers': answer,
    'a call gets': ({ call }) => (call === 401 ? '401 `invalid_token`' : String(call)),
    "the client's refresh gets": ({ refresh }) => (refresh === 200 ? '200' : '400 `invalid_grant`'),
    'who acts': acts,
    'the link': ({ kept }) => (kept ? 'stays' : 'is marked, its tokens are kept'),
  })

const services = (rows: readonly ServiceRow[], who: string) =>
  table(rows, {
    [`${who} answers`]: answer,
    'a call gets': ({ call }) => String(call),
    'who acts': acts,
  })

const lookups = () =>
  table(LOOKUP_ANSWERS, {
    'the upstream answers': answer,
    'the first sign-in there ends with': ({ first }) => sentBack(first),
    'a later one with': ({ later }) => sentBack(later),
    'a call after an edit gets': ({ call }) => (call === 401 ? '401 `invalid_token`' : String(call)),
    'who acts': acts,
  })

const signIns = (rows: readonly { answer: string; error: string | undefined; acts: Actor }[], what: string) =>
  table(rows, { [what]: answer, 'the client gets': ({ error }) => sentBack(error), 'who acts': acts })

const KEY_PAGES: Readonly<Record<KeyPageRow['page'], string>> = {
  403: '403: the upstream refuses this key',
  502: '502: the upstream does not say whether it takes a key',
  503: '503: the key is not checked yet',
}

const keyPages = () =>
  table(KEY_PAGE_ANSWERS, {
    'the MCP server answers': answer,
    'the page says': ({ page }) => KEY_PAGES[page],
    'who acts': ({ acts }) => (acts === 'person' ? 'the person: paste another' : ACTS[acts]),
  })

export function upstreamErrorsPage(): string {
  return `# When an upstream fails

What the gateway does with each answer of an upstream. Every row is run by \`test/long/flow/upstream-errors.test.ts\`, which also writes this page.

Three rules stand behind the tables:

- Only \`invalid_grant\`, or a fresh token or a key that is refused, ends a link; everything else keeps it. While a link is ended, calls get 401 and the client's own refresh gets 400 \`invalid_grant\`, so that clients send the person to sign in; once one client of that person has, all of them go on.
- Nobody is sent to sign in where signing in would not help: there is no 401 for what only the operator or the upstream can mend.
- An upstream's mistake is never a 500 of the gateway itself. What goes wrong between the two is 502, 503 or 504 with a JSON-RPC error that carries the id of the request. Where the upstream answers a call with a status from 400 up, and with JSON or an event stream, both are passed on as they came, a 500 too: it is the upstream's own word. Any other body is replaced by a JSON-RPC error; the status stays, but a 500 becomes a 502. The exceptions are 401, and 403 with \`insufficient_scope\`, which are about the gateway's credentials.

Who acts can be seen from outside. The person: 401 \`invalid_token\` with a challenge that leads to this gateway, or at a sign-in \`access_denied\`, or an error that a second try does not meet. The operator: a line in the log that names the route and says why. The upstream: Retry-After, \`temporarily_unavailable\`, or a 5xx that is no word about this gateway. The client: the status is passed on, and MCP says what it means; a 404 ends its session.

## An expired link is refreshed

${outcomes(REFRESH_ANSWERS)}
A 503 carries Retry-After: the upstream's own, else 5 seconds. An upstream in trouble is left alone for as long as it asked, at most 10 seconds; then the next call tries again.

The one thing that can be lost is a refresh token that works once: if the gateway is killed after the upstream has rotated it and before the new one is on disk, that one person signs in again, and nothing else happens (\`test/durable\`).

## A call is answered

${outcomes(CALL_ANSWERS)}
The upstream's own challenge is never passed on: it would send the client to sign in there. A 403 with \`insufficient_scope\` becomes the gateway's own, with the scopes that are needed, if they were not asked for yet. A 403, and a 5xx, that is passed on is in the log at \`info\`, as \`relayed\`; Retry-After is passed on too.

## A sign-in begins

Where the file does not name the endpoints, the gateway looks them up anew at each sign-in, and registers there once. Failures end the sign-in at the client; they are no word about those who are connected, whose calls and refreshes go on. The next sign-in is good as soon as the upstream is.

${lookups()}
At the start of the gateway the same is looked up, so that the log says it before anybody comes.

After an edit of the upstream's URL or of its server it may have to be looked up before a call of somebody who is connected can be answered. The first call does it; when that fails, the next one after a second does it again. Meanwhile the client's own refresh gets 200, a 503 carries Retry-After, and every link stays. What is found then counts: a link that was made for another server or \`resource\` is not used, and its person gets 401, to sign in.

## A sign-in comes back

What the authorization server sends the browser back with, where its metadata promises \`iss\`:

${signIns(CALLBACK_ANSWERS, 'the browser comes back with')}
No code is redeemed but that of the first row. An error from another issuer is no word of this one, so not even \`access_denied\` is believed.

After \`invalid_scope\`, here or from the token endpoint, a person who has connected before sees the consent page once more, with a shorter list: first without what the upstream demanded, then without what it has begun to list, then without what was asked for in the past. If what is left was granted already, there is no further trip. What is left out is in the log at \`warn\` and is not asked for again for a day; a 403 of the upstream that demands it has no challenge meanwhile. What the file names, and what a client itself asks for, is never left out: the row above is about that.

## A sign-in ends

${signIns(SIGN_IN_ANSWERS, 'the token endpoint answers')}
The client is sent back with \`error\`, \`state\` and \`iss\`; nothing that the upstream wrote is in it. Whoever is connected stays connected.

## \`client_credentials\`

${services(CLIENT_CREDENTIALS_ANSWERS, 'the token endpoint')}
Here, and with \`token_exchange\` and \`api_key\`, nobody has a link that could end: the client's own refresh gets 200 whatever happens, and no answer has a challenge. A token endpoint that refused is asked again by the first call after a second, one in trouble as under "An expired link is refreshed"; a fresh token that was refused too is replaced after a minute.

## \`token_exchange\`

${services(TOKEN_EXCHANGE_ANSWERS, 'the token endpoint')}
A 403 is about one caller: the others go on. The log names the caller, because only the operator can tell whether the upstream means that person or the gateway that signed for them.

## \`api_key\`

${services(API_KEY_ANSWERS, 'the MCP server')}
## \`user_api_key\`

At a call, 401 from the MCP server ends the link of the person whose key it was, and of nobody else: 401 \`invalid_token\`, the client's refresh gets 400 \`invalid_grant\`, and the person pastes another key. Everything else is as under "A call is answered".

A key that somebody pastes is tried before it is kept:

${keyPages()}
A key that could not be checked does not count as an attempt. After five that did, the client gets \`access_denied\`.
`
}
