// What every rule is for, in one table: docs/rules.md, SARIF and code review tools show it. An id that is missing here
// fails a test.

export interface RuleDoc {
  /** What holds when the rule is content, in one sentence. */
  readonly summary: string
  /** Why it matters, or what goes wrong otherwise. */
  readonly why: string
}

export interface RuleGroup {
  readonly title: string
  readonly rules: Readonly<Record<string, RuleDoc>>
}

export const ruleGroups: readonly RuleGroup[] = [
  {
    title: 'The YAML itself',
    rules: {
      'yaml/syntax': {
        summary: 'The file is YAML.',
        why: 'Nothing can be read from a broken file. Only the first mistake is shown, because those behind it are mostly echoes.',
      },
      'yaml/unquoted-variable': {
        summary: 'Inside `{ }` and `[ ]`, a value with `${NAME}` is quoted.',
        why: 'There YAML reads the braces as a map. `--fix` adds the quotes.',
      },
      'yaml/unclosed-quote': {
        summary: 'Every quote is closed.',
        why: 'YAML itself would complain at the end of the file; the mistake is where the quote was opened.',
      },
      'yaml/duplicate-key': {
        summary: 'No name stands twice in one map.',
        why: 'Readers disagree about which of the two counts, and one of them may be the one that grants access.',
      },
      'yaml/empty': {
        summary: 'The file is not empty.',
        why: 'An empty file is mostly one that is being written. It must not take every route away.',
      },
      'yaml/documents': {
        summary: 'The file holds one YAML document.',
        why: 'A second document after `---` would be ignored without a word.',
      },
      'yaml/size': {
        summary: 'The file is not larger than 1 MiB.',
        why: 'A bound keeps a mistaken file from holding up a running gateway.',
      },
      'yaml/depth': {
        summary: 'Nothing is nested deeper than 64 levels, aliases included.',
        why: 'Deep nesting exhausts the stack of whoever reads it.',
      },
      'yaml/alias': {
        summary: 'Every alias has an anchor before it, does not contain itself, and does not multiply.',
        why: 'A few lines of aliases can stand for gigabytes.',
      },
      'yaml/merge': {
        summary: '`<<` merges maps only.',
        why: 'Anything else has no meaning.',
      },
      'yaml/tag': {
        summary: 'There are no tags (`!name`).',
        why: 'They change how a value is read, differently in every reader. An unquoted value that begins with `!` looks like one.',
      },
      'yaml/directive': {
        summary: 'There is no `%YAML` directive.',
        why: 'YAML 1.1 reads `no`, `0777` and `12:30` as something else than text.',
      },
      'yaml/key': {
        summary: 'No name is `__proto__`.',
        why: 'It has a meaning of its own in JavaScript.',
      },
    },
  },
  {
    title: 'The shape of the settings',
    rules: {
      'schema/unknown': {
        summary: 'Every setting is one that the gateway knows.',
        why: 'A mistyped `acess` that is ignored leaves a route open. `--fix` corrects the name when only one can be meant. Names beginning with `x-` are free at the top level.',
      },
      'schema/required': {
        summary: 'Nothing that has no default is missing.',
        why: 'The gateway does not guess.',
      },
      'schema/type': {
        summary: 'Every value is of the right kind.',
        why: 'YAML reads `0123456` and `1.10` as numbers and drops digits. `--fix` quotes them.',
      },
      'schema/enum': {
        summary: 'Where one of several words is expected, it is one of them.',
        why: 'Any other would be ignored. `--fix` corrects it when only one can be meant.',
      },
      'schema/discriminator': {
        summary: '`type` is one that exists.',
        why: 'It decides which other settings there are. `--fix` corrects it when only one can be meant.',
      },
      'schema/pattern': {
        summary: 'Values are written as the setting demands.',
        why: 'A duration without its unit, for one, means a different time to every reader.',
      },
      'schema/name': {
        summary: 'Names of routes, authorization servers, users and clients use the characters they may.',
        why: 'They become part of URLs, tokens and logs.',
      },
      'schema/range': {
        summary: 'Numbers are within their bounds.',
        why: 'A port above 65535 cannot be listened on.',
      },
      'schema/length': {
        summary: 'Texts are neither empty nor too long.',
        why: 'An empty text is mostly a forgotten one.',
      },
      'schema/empty': {
        summary: 'Maps and lists that must have entries have some.',
        why: 'An empty list says neither everybody nor nobody.',
      },
      'schema/duplicate': {
        summary: 'No list names the same thing twice.',
        why: 'One of the two was meant to be something else.',
      },
      'schema/literal-secret': {
        summary: 'Secrets are taken from `${NAME}` or `${file:/path}`, never written in the file.',
        why: 'The file is committed. A secret in git stays there.',
      },
    },
  },
  {
    title: 'Variables and what they stand for',
    rules: {
      'variable/syntax': {
        summary: 'Every `${…}` is a reference.',
        why: 'What is none would be sent to the upstream as it stands. Write `$${` for a literal `${`.',
      },
      'variable/missing': {
        summary:
          'With `--require-env` and in `serve`: every variable without a default is set and not empty.',
        why: 'An empty secret is never meant.',
      },
      'variable/file': {
        summary: 'With `--require-env` and in `serve`: every `${file:…}` can be read.',
        why: 'The gateway would start without its secret.',
      },
      'value/schema': {
        summary: 'What a variable stands for obeys the schema.',
        why: 'The schema saw the reference only.',
      },
      'value/duration': {
        summary: 'A duration has its units.',
        why: '`30` may be seconds or minutes: write `30s`.',
      },
      'value/size': { summary: 'A size has its unit.', why: 'Write `4MiB`.' },
      'value/integer': {
        summary: 'A number is a whole one.',
        why: 'What a variable holds is text until it is read as a number.',
      },
      'value/boolean': {
        summary: 'A switch is `true` or `false`.',
        why: '`yes`, `on` and `1` mean different things to different readers.',
      },
      'value/url': {
        summary: 'A URL is absolute, http or https, and has no user info, fragment, space or backslash.',
        why: 'What is shown and what is fetched must be the same text.',
      },
      'value/origin': {
        summary: 'An origin is scheme, host and port.',
        why: 'Issuer, cookies and redirect URIs are made from it.',
      },
      'value/zero': {
        summary: 'Lifetimes, timeouts and limits are more than zero.',
        why: 'Zero would refuse everything, or mean “none” to some.',
      },
    },
  },
  {
    title: 'The gateway itself',
    rules: {
      'server/public-url': {
        summary: '`server.public_url` is https, except on loopback.',
        why: 'Codes, tokens and cookies would cross the network in the clear (RFC 9700 §2.6).',
      },
      'server/exposed': {
        summary: 'A gateway that listens beyond loopback has a `public_url`.',
        why: 'Its issuer would be a localhost URL that other machines cannot reach.',
      },
      'server/tls': {
        summary: '`server.tls` holds PEM texts.',
        why: 'A path where the text of a certificate belongs is the usual mistake: write `${file:…}`.',
      },
      'login/exposed': {
        summary: 'A gateway that listens beyond loopback says who may sign in.',
        why: 'The one user from the environment is for trying things out.',
      },
      'login/environment': {
        summary: '`MCP_GATEWAY_USERNAME` and `MCP_GATEWAY_PASSWORD` are unset beside `login.users`.',
        why: 'They would be ignored, and whoever set them expects otherwise.',
      },
      'login/password-hash': {
        summary: 'A `password_hash` is an Argon2id hash as `hash-password` prints it.',
        why: 'Shells and `.env` files eat the `$` signs; nobody could sign in.',
      },
      'tokens/refresh-grace': {
        summary: '`tokens.refresh_grace` is at most 300 seconds.',
        why: 'Within the grace a stolen refresh token looks like a client that lost the reply (RFC 9700 §4.14).',
      },
      'tokens/refresh-order': {
        summary: '`tokens.refresh_ttl` is not longer than `refresh_max`.',
        why: 'The longer one could never be reached.',
      },
      'store/key': {
        summary: 'Store keys are 32 bytes of base64url.',
        why: 'They seal upstream tokens with AES-256.',
      },
      'clients/redirect-scheme': {
        summary: '`redirect_schemes` names private-use schemes only.',
        why: 'A scheme that browsers or several apps answer to hands codes to strangers (RFC 8252 §7.1).',
      },
      'client/redirect-uri': {
        summary: 'Redirect URIs of static clients are ones that could be registered.',
        why: 'What a stranger may not register, a file must not slip in.',
      },
      'client/introspect': {
        summary: 'A client that may introspect has a secret or keys.',
        why: 'Anybody could use its name.',
      },
      'client/authentication': {
        summary: 'A static client has one of `client_secret`, `jwks_uri` and `jwks`.',
        why: 'A client authenticates in one way, exactly; of two nobody could tell which counts.',
      },
      'client/grant-types': {
        summary: 'A client that gets tokens without a sign-in has a secret or keys.',
        why: 'No person consents there: its own proof is all that keeps strangers out (RFC 6749 §4.4).',
      },
      'client/no-sign-in': {
        summary: 'Only a client with `authorization_code` has `redirect_uris`.',
        why: 'They would never be used, and somebody expects that they are.',
      },
      'client/jwks': {
        summary: 'Keys of static clients are public keys that can be used, RSA ones of 2048 bits or more.',
        why: 'The client would be refused at its first request, without a word about the key.',
      },
      'client/jwks-uri': {
        summary: 'The keys of a static client are fetched over https, or from this machine.',
        why: 'Who can change them on their way can authenticate as the client.',
      },
      'client/no-issuer': {
        summary: 'A client with the JWT bearer grant has a trusted issuer with `id_jag`.',
        why: 'No assertion that it brings would be taken.',
      },
      'client/no-route': {
        summary: 'A client with `client_credentials` has a route that needs no account of a person.',
        why: 'There is nobody to connect an account, so it could get no token at all.',
      },
    },
  },
  {
    title: 'Upstream authorization servers',
    rules: {
      'reference/authorization-server': {
        summary: 'A route refers to an authorization server that exists.',
        why: 'People could not sign in upstream. `--fix` corrects the name when only one can be meant.',
      },
      'authorization-server/unused': {
        summary: 'Every entry of `authorization_servers` is used by a route.',
        why: 'An unused one is mostly a route with a mistyped reference.',
      },
      'authorization-server/callback': {
        summary:
          'Every authorization server has a callback path, and a client ID metadata document, of its own. Both go by the name of the entry, or of the route that spells the server out or leaves it to its upstream.',
        why: 'The path tells which server an answer claims to come from; sharing it allows mix-up attacks (RFC 9700 §4.4). Of two servers that read one document, one is told how the gateway authenticates at the other.',
      },
      'authorization-server/incomplete': {
        summary:
          'An authorization server has an issuer, or both endpoints and a client_id. One that is written inside a route may leave all of them out, and has no `client_secret` then.',
        why: 'There is nothing to look the rest up at. Where the upstream names the server, it must not get a secret that was meant for another.',
      },
      'authorization-server/client-authentication': {
        summary: '`token_endpoint_auth_method`, `client_secret` and `private_key` fit together.',
        why: 'The token endpoint would refuse the gateway.',
      },
      'authorization-server/private-key': {
        summary:
          'A `private_key` is PEM text without a passphrase, of an EC key (P-256, P-384 or P-521), an RSA key of 2048 bits or more, or an Ed25519 key.',
        why: 'Nothing could be signed with it.',
      },
      'authorization-server/registration': {
        summary:
          'Without `client_id` there is a way to make the gateway known, and a `client_id_metadata_url` is https and stands alone.',
        why: 'Nobody could sign in there.',
      },
      'authorization-server/parameter': {
        summary: '`authorization_parameters` and `relink_parameters` set nothing that the gateway sets.',
        why: 'Two values for `state`, `redirect_uri` or `code_challenge` defeat what they protect.',
      },
      'authorization-server/issuer': {
        summary: 'An issuer has no query.',
        why: 'It is compared character by character (RFC 8414 §2).',
      },
      'authorization-server/revocation': {
        summary: '`revocation_endpoint` is where the token endpoint is.',
        why: "A link's tokens go only where the link is bound to; an edit must not send them elsewhere.",
      },
      'authorization-server/account': {
        summary: '`account_endpoint` is on a host that the tokens belong to.',
        why: 'A new token is sent there. The host is that of `issuer`, `authorization_endpoint` or `token_endpoint`, of an upstream that uses the server, or one of `endpoint_hosts`.',
      },
      'authorization-server/self': {
        summary: 'The gateway itself, by its `public_url`, is no authorization server of an upstream.',
        why: 'The upstream would be sent tokens that are good on routes of the gateway.',
      },
      'authorization-server/plain-http': {
        summary: 'Token endpoints are https.',
        why: 'Codes, tokens and the client secret would cross the network in the clear.',
      },
      'preset/client': {
        summary: 'A preset whose provider registers no clients has a `client_id`.',
        why: 'Somebody has to create the client at the provider; `presets NAME` says where.',
      },
      'preset/parameter': {
        summary: '`preset_parameters` has what the preset asks for, and nothing else.',
        why: 'A URL with a tenant left out leads nowhere.',
      },
      'preset/parameters': {
        summary: '`preset_parameters` stands beside a `preset`.',
        why: 'Without one nothing uses them.',
      },
    },
  },
  {
    title: 'Issuers besides the gateway',
    rules: {
      'reference/token-issuer': {
        summary: '`token_issuer` refers to a trusted issuer that exists.',
        why: 'Nobody could use the route. `--fix` corrects the name when only one can be meant.',
      },
      'route/token-issuer': {
        summary: 'A route that takes tokens of another issuer needs no sign-in at its upstream.',
        why: 'Clients never come by the pages of the gateway there, so no person could connect an account.',
      },
      'trusted-issuer/unused': {
        summary: 'Something takes the tokens of every trusted issuer.',
        why: 'An unused one is mostly a route whose `token_issuer` was forgotten.',
      },
      'trusted-issuer/issuer': {
        summary: 'A trusted issuer is https, except on loopback, and has no query.',
        why: 'It is compared character by character (RFC 8414 §2), and its keys are looked up there.',
      },
      'trusted-issuer/jwks-uri': {
        summary: 'Keys of an issuer come over https, except from loopback.',
        why: 'Whoever can change them on their way can sign in as anybody.',
      },
      'trusted-issuer/self': {
        summary: 'The gateway itself, by its `public_url`, is no trusted issuer.',
        why: 'It signs statements about its people for upstreams. None of these is a sign-in here.',
      },
      'trusted-issuer/duplicate': {
        summary: 'No two trusted issuers are the same issuer.',
        why: 'Which of the two entries counts for its assertions would be left to chance.',
      },
    },
  },
  {
    title: 'Routes',
    rules: {
      'route/path-shape': {
        summary: 'A path is written in the one way that everybody reads alike.',
        why: 'Proxies and clients rewrite `//`, `..`, `%` and `;` each in their own way, and a path that two of them read differently is a way around `access`. `--fix` removes a slash at the end.',
      },
      'route/path-reserved': {
        summary: 'No route takes a path of the gateway itself.',
        why: 'Sign-in, token endpoint and callbacks live there.',
      },
      'route/path-duplicate': {
        summary: 'No two routes have the same path.',
        why: 'Only one of them would ever be reached.',
      },
      'route/scope': {
        summary: "A route's scopes name no route, and `offline_access` is never required.",
        why: '`mcp:<route>` is the gateway’s own. A challenge with `offline_access` would ask clients for what no call needs.',
      },
      'auth/api-key-name': {
        summary: 'The name of an API key is one that can be sent.',
        why: 'Headers that belong to the connection decide where a message ends.',
      },
      'auth/api-key-value': {
        summary: 'An API key can be sent as a header.',
        why: 'A line break in a variable or file would end the header.',
      },
      'auth/client-credentials': {
        summary: 'With auth type client_credentials, the client authenticates at the authorization server.',
        why: 'Such tokens are given for what the client proves (RFC 6749 §4.4). Without proof anybody could get them.',
      },
      'auth/subject-token': {
        summary: '`subject_token: caller` is written only where clients come with a JWT of another issuer.',
        why: "The gateway's own tokens are opaque, so no other server can read who is meant.",
      },
      'auth/subject-token-destination': {
        summary: 'With auth type token_exchange, the file says where the authorization server is.',
        why: 'What names the caller is sent there. An upstream that could name the server would collect it, and be each caller elsewhere.',
      },
      'auth/key-check': {
        summary: '`check` is mcp, none, or a URL that keys can be sent to safely.',
        why: 'Each pasted key is sent there once.',
      },
      'identity/header': {
        summary: 'Identity headers have names that belong to nobody else.',
        why: 'Credentials, the connection and MCP itself speak in headers too. An upstream must not take one for the other.',
      },
      'identity/assertion-ttl': {
        summary: 'An assertion about the caller is good for 10 minutes at most.',
        why: 'Every request has a new one, so a longer life serves only whoever reads it in a log.',
      },
      'auth/resource': {
        summary: '`resource` is an absolute URL without a fragment.',
        why: 'Authorization servers refuse any other (RFC 8707 §2).',
      },
      'upstream/header': {
        summary: '`upstream.headers` sets no header of the connection, no cookie and no credentials.',
        why: 'They would break the message, or go around `auth`.',
      },
      'upstream/forward-header': {
        summary: '`forward_headers` passes no credentials of the client on.',
        why: "A client's token is for the gateway; handing it on is the token passthrough that MCP forbids.",
      },
      'upstream/header-duplicate': {
        summary: 'No header is set twice, and none by two names that upstreams may take for one.',
        why: 'Header names ignore case, and CGI, WSGI and PHP read `X_User` as `X-User`; which one wins is left to chance.',
      },
      'upstream/plain-http': {
        summary: 'Credentials go over https, except to loopback.',
        why: 'They would cross the network in the clear.',
      },
      'access/unknown-user': {
        summary: '`access` names users that exist.',
        why: 'A mistyped name shuts somebody out, or fails to.',
      },
      'access/unknown-group': {
        summary: '`access` names groups that some user has.',
        why: 'A mistyped name shuts somebody out, or fails to.',
      },
      'access/unknown-email-domain': {
        summary: '`access` names email domains that some user has an address at.',
        why: 'A mistyped domain shuts everybody out, or fails to. Where an issuer vouches for people, none is unknown.',
      },
      'access/unknown-claim': {
        summary: '`access` names claims that some user has.',
        why: 'A list that names nobody admits nobody. Where an issuer vouches for people, none is unknown.',
      },
      'access/unknown-client': {
        summary: '`access.clients` names static clients with the grant type `client_credentials`.',
        why: "No other client comes for itself: people who use a client are admitted as people. Under `deny`, an issuer's clients are known to the issuer alone.",
      },
      'access/user-without-route': {
        summary: 'Every user is admitted by some route.',
        why: 'One who is admitted nowhere was forgotten in `access`, or in `login.users`.',
      },
    },
  },
  {
    title: 'Tests in the file',
    rules: {
      'tests/sentence': {
        summary: 'Every sentence under `tests` can be read.',
        why: 'A test that is skipped proves nothing.',
      },
      'tests/failed': {
        summary: 'Every sentence under `tests` is true of the configuration beside it.',
        why: 'It was written so that an edit cannot open a door by mistake.',
      },
    },
  },
  {
    title: 'Flags',
    rules: {
      'flags/missing': {
        summary: '`serve` with flags has all the flags that it needs.',
        why: 'One upstream needs a URL, and endpoints come in pairs.',
      },
    },
  },
]

const all = new Map(ruleGroups.flatMap(({ rules }) => Object.entries(rules)))

export function ruleDoc(id: string): RuleDoc | undefined {
  return all.get(id)
}

export function documentedRules(): readonly string[] {
  return [...all.keys()]
}

/** As GitHub makes them of headings. */
export function ruleAnchor(id: string): string {
  return `docs/rules.md#${id.replaceAll('/', '')}`
}
