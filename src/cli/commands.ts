// Every command on one screen: what it is for, how it is used, and where its code is. Loaded only when it runs.

export interface Command {
  readonly summary: string
  readonly usage: string
  readonly load: () => Promise<{ readonly run: (args: string[]) => Promise<number> }>
}

export const DEFAULT_COMMAND = 'serve'

export const commands: Readonly<Record<string, Command>> = {
  serve: {
    summary: 'Run the gateway. The default command.',
    load: () => import('./serve.ts'),
    usage: `
Usage: mcp-oauth-gateway [serve] [-c FILE] [--no-watch]
       mcp-oauth-gateway [serve] --upstream-rs URL … [--host HOST] [--port PORT]

Runs the gateway that a file describes, and applies edits of the file while it
runs. An edit with a mistake changes nothing; the log says what is wrong.

  -c, --config FILE   the file; default: $MCP_GATEWAY_CONFIG, else gateways.yaml
      --no-watch      do not apply edits while running

Without a file, one upstream can be given by flags. It becomes the route /mcp.
The variables in the second column are used where a flag is absent. Without
endpoints they are looked up, at the issuer or where the upstream points to;
without a client ID the gateway registers itself there.

  --upstream-rs URL                    the MCP server
  --upstream-authorize-endpoint URL    MCP_GATEWAY_UPSTREAM_AUTHORIZE_ENDPOINT
  --upstream-token-endpoint URL        MCP_GATEWAY_UPSTREAM_TOKEN_ENDPOINT
  --upstream-client-id ID              MCP_GATEWAY_UPSTREAM_CLIENT_ID
  --upstream-client-secret SECRET      MCP_GATEWAY_UPSTREAM_CLIENT_SECRET
  --upstream-as URL                    issuer of the authorization server
  --host HOST                          address to listen on; default: localhost
  --port PORT                          port to listen on; default: 8002

Other users of the machine can see flags: give the secret by its variable.

Examples:
  mcp-oauth-gateway
  mcp-oauth-gateway -c /etc/mcp/gateways.yaml
  mcp-oauth-gateway --upstream-rs https://api.githubcopilot.com/mcp/ \\
    --upstream-authorize-endpoint https://github.com/login/oauth/authorize \\
    --upstream-token-endpoint https://github.com/login/oauth/access_token

Exit codes: 0 ended, 1 cannot start, 2 wrong usage, 3 cannot read the file,
78 the configuration has mistakes
`,
  },
  validate: {
    summary: 'Check configuration files.',
    load: () => import('./validate.ts'),
    usage: `
Usage: mcp-oauth-gateway validate [FILE…] [--format FORMAT] [--strict]
                                  [--require-env] [--fix] [--watch]

Checks files and shows every mistake with its line and what to do about it.
Needs no environment and no network: a variable that is not set is listed, not
complained about. Reads standard input for -.

  -c, --config FILE   same as FILE
      --format FORMAT pretty, line, json, sarif, github or junit; default:
                      github in GitHub Actions, else pretty
      --strict        count warnings as errors
      --require-env   fill in variables and \${file:…} as serve would, and check
                      what they stand for
      --fix           first correct in the file what can only be meant one way;
                      comments and layout stay
      --watch         check again whenever a file changes

Every rule is explained in docs/rules.md, by the name in brackets.

Examples:
  mcp-oauth-gateway validate
  mcp-oauth-gateway validate --strict examples/*/gateways.yaml
  mcp-oauth-gateway validate --format sarif > gateways.sarif
  git show HEAD:gateways.yaml | mcp-oauth-gateway validate -

Exit codes: 0 no errors, 1 errors (with --strict, or warnings), 2 wrong usage,
3 cannot read a file
`,
  },
  doctor: {
    summary: 'Ask everyone the gateway depends on.',
    load: () => import('./doctor.ts'),
    usage: `
Usage: mcp-oauth-gateway doctor [ROUTE…] [-c FILE] [--json]

Checks online what validate cannot know: whether each upstream answers and
wants what its route brings, whether its authorization server supports PKCE,
knows the client and takes the redirect URI; certificates and the clock; the
public URL and the port; who may read the secrets and the state; whether edits
of the file arrive at all. Needs the environment that serve needs. Signs nobody
in, registers nothing and writes nothing.

  ROUTE               ask only about these routes; default: all
  -c, --config FILE   the file; default: $MCP_GATEWAY_CONFIG, else gateways.yaml
      --json          one JSON object with all findings

Examples:
  mcp-oauth-gateway doctor
  mcp-oauth-gateway doctor github --json

Exit codes: 0 nothing is wrong (warnings are not), 1 something is, 2 wrong
usage, 3 cannot read the file
`,
  },
  plan: {
    summary: 'Show what an edit would change, and for whom.',
    load: () => import('./plan.ts'),
    usage: `
Usage: mcp-oauth-gateway plan [FILE] [--against running|HEAD|REV:FILE|FILE]

Compares a configuration with an earlier one by what it means: order, spelling
and defaults that are written out make no difference. Says what each change
costs (live, reconnect, reauthorize, relogin, restart), which sessions stay, who
signs in again, and what has to be done elsewhere. Changes nothing. Needs no
environment; reads standard input for -.

  -c, --config FILE    default: $MCP_GATEWAY_CONFIG, else gateways.yaml
      --against WHAT   running: what the gateway of this file runs, with counts
                       HEAD, v1.2, main: the file in that revision
                       REV:FILE or FILE: another file
                       default: running if a gateway runs, else HEAD
      --format FORMAT  pretty, json, or md for a comment on a pull request
      --exit-code      end with 2 when there are changes

Examples:
  mcp-oauth-gateway plan
  mcp-oauth-gateway plan --against HEAD --exit-code
  mcp-oauth-gateway plan --against origin/main:gateways.yaml --format md

Exit codes: 0 compared, 1 the file has mistakes, 2 wrong usage or, with
--exit-code, changes, 3 cannot read one of the two
`,
  },
  explain: {
    summary: 'Explain a route, a request or a setting.',
    load: () => import('./explain.ts'),
    usage: `
Usage: mcp-oauth-gateway explain [ROUTE | METHOD PATH | SETTING] [-c FILE]

Shows what happens to a request: each step of its route, the settings that it
follows, and the line that each comes from, or whether it is a default, under
\`defaults\`, or built in. A setting, such as routes.*.auth.type, is explained
from the schema. Needs no environment and no gateway that runs.

  -c, --config FILE   the file; default: $MCP_GATEWAY_CONFIG, else gateways.yaml
      --json          for machines

Examples:
  mcp-oauth-gateway explain github
  mcp-oauth-gateway explain POST /github
  mcp-oauth-gateway explain 'routes.*.auth.type'

Exit codes: 0 explained, 1 the file has mistakes, 2 wrong usage, 3 cannot read
the file
`,
  },
  status: {
    summary: 'Show how the running gateway is.',
    load: () => import('./status.ts'),
    usage: `
Usage: mcp-oauth-gateway status [-c FILE] [--json]

Asks the gateway that runs on the file: which generation runs, whether the file
says the same, what became of the last reload, and what waits for a restart. It
is asked over a socket in its state folder that only its own user may open.

  -c, --config FILE   the file; default: $MCP_GATEWAY_CONFIG, else gateways.yaml
      --json          for machines

Examples:
  mcp-oauth-gateway status
  mcp-oauth-gateway status -c /etc/mcp/gateways.yaml --json

Exit codes: 0 shown, 2 wrong usage, 3 no gateway runs on this file
`,
  },
  routes: {
    summary: 'List what the running gateway serves.',
    load: () => import('./routes.ts'),
    usage: `
Usage: mcp-oauth-gateway routes [-c FILE] [--json]

Asks the gateway that runs on the file for its routes: path, upstream, how the
gateway signs in there, who may use it (user, @group, *@email.domain,
client:name, claim=value, !denied), open streams, and the generation since which
the route is what it is.

  -c, --config FILE   the file; default: $MCP_GATEWAY_CONFIG, else gateways.yaml
      --json          for machines

Examples:
  mcp-oauth-gateway routes
  mcp-oauth-gateway routes --json

Exit codes: 0 shown, 2 wrong usage, 3 no gateway runs on this file
`,
  },
  reload: {
    summary: 'Make the running gateway read its file now.',
    load: () => import('./reload.ts'),
    usage: `
Usage: mcp-oauth-gateway reload [-c FILE] [--json]

The same as a save of the file, or SIGHUP, but it waits for what comes of it and
shows it: what changed and for whom, or the mistakes with their lines. A file
that was held because it looked half-written is taken as it is.

  -c, --config FILE   the file; default: $MCP_GATEWAY_CONFIG, else gateways.yaml
      --json          for machines

Examples:
  mcp-oauth-gateway reload
  mcp-oauth-gateway reload -c /etc/mcp/gateways.yaml --json

Exit codes: 0 applied, or nothing to apply, 1 refused, 2 wrong usage, 3 no
gateway runs on this file
`,
  },
  'hash-password': {
    summary: 'Make a password hash for login.users.',
    load: () => import('./hash-password.ts'),
    usage: `
Usage: mcp-oauth-gateway hash-password

Asks for a password and prints its Argon2id hash. Reads the password from
standard input when that is no terminal. Put the hash into a variable or file
and refer to it: password_hash: \${ALICE_PASSWORD_HASH}

The hash contains $: quote it in shells and in .env files.

Examples:
  mcp-oauth-gateway hash-password
  mcp-oauth-gateway hash-password < password.txt > alice.hash

Exit codes: 0 printed, 1 no usable password, 2 wrong usage
`,
  },
  init: {
    summary: 'Write a first configuration.',
    load: () => import('./init.ts'),
    usage: `
Usage: mcp-oauth-gateway init [--preset NAME…] [--discover URL…] [--out FILE]
       mcp-oauth-gateway init --from-flags -- --upstream-rs URL …

Writes gateways.yaml with comments, beside it .env.example with the variables
it refers to and gateways.schema.json for editors, and says what to do next.

  --preset NAME     a provider that is known; \`presets\` lists them
  --discover URL    look at a live MCP server and write what it needs, and why
  --from-flags      turn the flags after -- into a file; see help serve
  --out FILE        default: gateways.yaml; - prints it and writes nothing
  --force           overwrite what is there

Examples:
  mcp-oauth-gateway init
  mcp-oauth-gateway init --preset github --preset notion
  mcp-oauth-gateway init --discover https://mcp.example.com/mcp
  mcp-oauth-gateway init --from-flags -- --upstream-rs https://a.example/mcp

Exit codes: 0 written, 1 a file is in the way, a server cannot be reached or a
flag is missing, 2 wrong usage, 3 cannot write
`,
  },
  presets: {
    summary: 'List the providers that are known.',
    load: () => import('./presets.ts'),
    usage: `
Usage: mcp-oauth-gateway presets [NAME] [--json]

Lists the names that \`preset:\` takes, or shows one: what to do at the provider,
what to write, how it differs from the standards, and where that is documented.

  --json   as JSON

Examples:
  mcp-oauth-gateway presets
  mcp-oauth-gateway presets entra

Exit codes: 0 shown, 2 wrong usage
`,
  },
  schema: {
    summary: 'Print the JSON Schema of the configuration.',
    load: () => import('./schema.ts'),
    usage: `
Usage: mcp-oauth-gateway schema [--markdown] [--out FILE]

Prints the schema as one document, for editors and for checks in CI. With this
as the first line of gateways.yaml, editors complete and explain every setting:

  # yaml-language-server: $schema=./gateways.schema.json

  --markdown   as a page for people: every setting in tables
  --out FILE   write to a file instead of standard output

Examples:
  mcp-oauth-gateway schema --out gateways.schema.json
  mcp-oauth-gateway schema --markdown --out configuration.md

Exit codes: 0 printed, 2 wrong usage, 3 cannot write the file
`,
  },
  help: {
    summary: 'Explain a command.',
    load: () => import('./help.ts'),
    usage: `
Usage: mcp-oauth-gateway help [COMMAND]
`,
  },
}
