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
Usage: mcp-oauth-gateway validate [FILE…] [--require-env]

Checks files and shows every mistake with its line and what to do about it.
Needs no environment and no network: a variable that is not set is listed, not
complained about. Reads standard input for -.

  -c, --config FILE   same as FILE
      --require-env   fill in variables and \${file:…} as serve would, and check
                      what they stand for

Examples:
  mcp-oauth-gateway validate
  mcp-oauth-gateway validate examples/*/gateways.yaml
  git show HEAD:gateways.yaml | mcp-oauth-gateway validate -

Exit codes: 0 no errors (warnings are none), 1 errors, 2 wrong usage,
3 cannot read a file
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
  schema: {
    summary: 'Print the JSON Schema of the configuration.',
    load: () => import('./schema.ts'),
    usage: `
Usage: mcp-oauth-gateway schema [--out FILE]

Prints the schema as one document, for editors and for checks in CI. With this
as the first line of gateways.yaml, editors complete and explain every setting:

  # yaml-language-server: $schema=./gateways.schema.json

  --out FILE   write to a file instead of standard output

Examples:
  mcp-oauth-gateway schema --out gateways.schema.json

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
