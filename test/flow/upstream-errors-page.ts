// docs/upstream-errors.md, written from the table that its test runs.
import { type Actor, CALL_ANSWERS, REFRESH_ANSWERS, type Row, SIGN_IN_ANSWERS } from './upstream-answers.ts'

const ACTS: Readonly<Record<Actor, string>> = {
  nobody: 'nobody',
  person: 'the person: sign in again',
  operator: 'the operator: look at the log',
  upstream: 'the upstream: it passes',
}

const line = (...cells: string[]) => `| ${cells.join(' | ')} |\n`

function outcomes(rows: readonly Row[]): string {
  const head = line(
    'the upstream answers',
    'a call gets',
    "the client's refresh gets",
    'who acts',
    'the link',
  )
  return `${head}${line('---', '---', '---', '---', '---')}${rows
    .map(({ answer, call, refresh, acts, kept }) =>
      line(
        answer,
        call === 401 ? '401 `invalid_token`' : String(call),
        refresh === 200 ? '200' : '400 `invalid_grant`',
        ACTS[acts],
        kept ? 'stays' : 'is marked, its tokens are kept',
      ),
    )
    .join('')}`
}

function signIns(): string {
  const rows = SIGN_IN_ANSWERS.map(({ answer, error, acts }) =>
    line(answer, error === undefined ? 'a code' : `\`${error}\``, ACTS[acts]),
  )
  return `${line('the token endpoint answers', 'the client gets', 'who acts')}${line('---', '---', '---')}${rows.join('')}`
}

export function upstreamErrorsPage(): string {
  return `# When an upstream fails

What the gateway does with each answer of an upstream. Every row is run by \`test/long/flow/upstream-errors.test.ts\`, which also writes this page.

Three rules stand behind the tables. Only \`invalid_grant\`, or a fresh token that is refused, ends a link; everything else keeps the refresh token. While a link is ended, calls get 401 and the client's own refresh gets 400 \`invalid_grant\`, so that clients send the person to sign in; once one client of that person has, all of them go on. An upstream's mistake is never a 500 of the gateway.

## An expired link is refreshed

${outcomes(REFRESH_ANSWERS)}
A 502 or 503 is a JSON-RPC error with the id of the request. A 503 carries Retry-After: the upstream's own, else 5 seconds. An upstream in trouble is left alone for as long as it asked, at most 10 seconds; then the next call tries again.

The one thing that can be lost is a refresh token that works once: if the gateway is killed after the upstream has rotated it and before the new one is on disk, that one person signs in again, and nothing else happens (\`test/durable\`).

## A call is answered

${outcomes(CALL_ANSWERS)}
The upstream's own challenge is never passed on: it would send the client to sign in there. A 403 with \`insufficient_scope\` becomes the gateway's own, with the scopes that are needed, if they were not asked for yet.

## A sign-in ends

${signIns()}
The client is sent back with \`error\`, \`state\` and \`iss\`; nothing that the upstream wrote is in it. Where the upstream itself sends the browser back with an error, \`access_denied\` and \`temporarily_unavailable\` are handed on, and every other one is \`server_error\`.
`
}
