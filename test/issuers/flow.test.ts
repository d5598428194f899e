// Real MCP clients on a route whose tokens a real identity provider makes: they find it by the route's own document,
// register and sign in there, and the gateway only looks at what they bring.
import { decodeJwt } from 'jose'
import * as assert from 'uvu/assert'
import { callMcp } from '../security/client.ts'
import { connectV1, connectV2 } from '../support/clients.ts'
import { startGateway } from '../support/gateway.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { suite } from '../support/suite.ts'
import { document, openRoute } from '../support/yaml.ts'
import { startIdentityProvider } from './identity-provider.mjs'

const test = suite('issuers/flow')

for (const [sdk, connect] of [
  ['SDK v1', connectV1],
  ['SDK v2', connectV2],
] as const) {
  test(`${sdk}: discovery → sign-in at the identity provider → tools → refresh, without a page of the gateway`, async (context) => {
    const idp = await startIdentityProvider()
    context.after(() => idp.close())
    const upstream = await startMcpServer({ sdk: sdk === 'SDK v1' ? 'v1' : 'v2' })
    context.after(() => upstream.close())
    const route = '    token_issuer: { name: idp, scopes: [mcp.read] }\n    access: { groups: [staff] }\n'
    const gateway = await startGateway({
      yaml: `${document(openRoute('reports', upstream, route))}trusted_issuers: { idp: { issuer: "${idp.issuer}" } }\n`,
    })
    context.after(() => gateway.close())
    const mcpUrl = `${gateway.url}/reports`

    const connected = await connect(mcpUrl, { person: { upstreamName: 'dora' } })
    context.after(() => connected.close())
    assert.is(await connected.call('add', { a: 2, b: 3 }), '5')
    const [signIn] = connected.provider.signIns
    assert.is(signIn?.authorizationUrl.origin, idp.issuer)
    assert.equal([...new Set(signIn?.pages.map(({ url }) => url.origin))], [idp.issuer])
    assert.is(signIn?.authorizationUrl.searchParams.get('resource'), mcpUrl)

    const token = connected.provider.current?.access_token ?? ''
    assert.equal([decodeJwt(token).aud, decodeJwt(token).sub], [mcpUrl, 'dora'])
    assert.not.ok(upstream.recorder.saw(token))
    const { id_token: idToken = '' } = connected.provider.current ?? {}
    if (idToken !== '') assert.is((await callMcp(mcpUrl, idToken)).status, 401)

    await connected.refresh()
    assert.is.not(connected.provider.current?.access_token, token)
    assert.is(await connected.call('add', { a: 1, b: 1 }), '2')
  })
}

test.run()
