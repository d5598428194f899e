// The demo's only page: say who you are (any name will do) and allow or deny the request.
const STYLE = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { display: grid; place-items: center; min-height: 100vh; margin: 0; background: #f2efe8; color: #222 }
  main { width: min(24rem, 88vw); padding: 2rem; border-radius: 1rem; background: #fff; border-top: .4rem solid #b4552d }
  h1 { margin: 0 0 .5rem; font-size: 1.3rem }
  label { display: block; margin: 1.2rem 0 .3rem; font-weight: 600 }
  input { width: 100%; box-sizing: border-box; padding: .6rem; font: inherit; border: 1px solid #999; border-radius: .4rem }
  .buttons { display: flex; gap: .6rem; margin-top: 1.4rem }
  button { flex: 1; padding: .7rem; font: inherit; border: 1px solid #b4552d; border-radius: .4rem; cursor: pointer }
  button[value=allow] { background: #b4552d; color: #fff }
  button[value=deny] { background: none; color: inherit }
  small { opacity: .75 }
  @media (prefers-color-scheme: dark) { body { background: #1c1a17; color: #eee } main { background: #2a2723 } }`

export function createSignInPages(provider) {
  return async (request, response) => {
    try {
      const interaction = await provider.interactionDetails(request, response)
      if (request.method !== 'POST') return show(response, await describe(provider, interaction))
      const form = await readForm(request)
      const result =
        form.get('decision') === 'allow'
          ? await allow(provider, interaction, form.get('name')?.trim())
          : { error: 'access_denied', error_description: 'the request was denied' }
      return await provider.interactionFinished(request, response, result)
    } catch {
      // Nothing from the request is repeated: an expired or foreign sign-in is the only ordinary cause.
      response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' })
      return response.end('This sign-in has expired, or belongs to another browser. Start again.\n')
    }
  }
}

async function describe(provider, { params, session }) {
  const client = await provider.Client.find(params.client_id)
  return { clientName: client?.clientName ?? params.client_id, scope: params.scope, name: session?.accountId }
}

async function allow(provider, { params, session, grantId }, typedName) {
  const accountId = session?.accountId ?? typedName
  if (!accountId) return { error: 'access_denied', error_description: 'no name was given' }
  const grant =
    (grantId && (await provider.Grant.find(grantId))) ||
    new provider.Grant({ accountId, clientId: params.client_id })
  const scope = params.scope ?? ''
  grant.addOIDCScope(scope)
  for (const resource of [params.resource ?? []].flat()) grant.addResourceScope(resource, scope)
  return { login: { accountId }, consent: { grantId: await grant.save() } }
}

function show(response, { clientName, scope, name }) {
  const who = name
    ? `<p>You are signed in as <strong>${escapeHtml(name)}</strong>.</p>`
    : '<label for="name">Your name</label><input id="name" name="name" value="demo" required maxlength="64" autofocus autocomplete="username"><small>Any name will do: this server knows nobody.</small>'
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Demo sign-in</title><style>${STYLE}</style>
<main><h1>Demo authorization server</h1>
<p><strong>${escapeHtml(clientName)}</strong> asks to use the demo tools for you${scope ? ` <small>(scope: ${escapeHtml(scope)})</small>` : ''}.</p>
<form method="post">${who}
<div class="buttons"><button name="decision" value="allow">Allow</button><button name="decision" value="deny" formnovalidate>Deny</button></div>
</form></main></html>`
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy':
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
  })
  response.end(page)
}

async function readForm(request) {
  let body = ''
  for await (const chunk of request) {
    body += chunk
    if (body.length > 10_000) throw new Error('form too large')
  }
  return new URLSearchParams(body)
}

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escapeHtml = (text) => String(text).replace(/[&<>"']/g, (character) => ENTITIES[character])
