// The part of the contract that is about issuers besides the gateway: each edit on a running gateway, with tokens of a
// real issuer in hand.
import * as assert from 'uvu/assert'
import { callMcp, send } from '../security/client.ts'
import { newSigningKey, startTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts'
import type { Doc, Scene } from './scene.ts'

interface IssuerScene {
  readonly scene: Scene
  readonly idp: TokenIssuer
  /** The status of a request to the route `open` with this token. */
  call(token: string): Promise<number>
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>
}

interface WholeCase {
  readonly whole: (scene: Scene) => Promise<void>
}

/** The route `open` takes the issuer's tokens from here on. */
function withIssuer(work: (all: IssuerScene) => Promise<void>, prepare: (doc: Doc) => void = () => {}) {
  return async (scene: Scene) => {
    const idp = await startTokenIssuer()
    try {
      await scene.edit((doc) => {
        doc.trusted_issuers = { idp: { issuer: idp.issuer } }
        doc.routes.open.token_issuer = 'idp'
        prepare(doc)
      })
      const url = `${scene.url}/open`
      await work({
        scene,
        idp,
        call: async (token) => (await callMcp(url, token)).status,
        token: (claims) => idp.token(url, claims),
      })
    } finally {
      await idp.close()
    }
  }
}

const ofIssuer = (doc: Doc) => doc.trusted_issuers.idp

/** The route changes hands: clients sign in elsewhere, and back again all is as it was. */
const changesHands = (named: unknown): WholeCase => ({
  whole: async (scene) => {
    assert.is(await scene.call('open'), 200)
    await withIssuer(
      async ({ call, token }) => {
        assert.is(await scene.call('open'), 401, 'a token of the gateway is worth nothing there')
        assert.is(await call(await token()), 200)
        for (const route of ['github', 'key'] as const) assert.is(await scene.call(route), 200, route)
      },
      (doc) => {
        doc.routes.open.token_issuer = named
      },
    )(scene)
    await scene.edit((doc) => {
      delete doc.routes.open.token_issuer
    })
    assert.is(await scene.call('open'), 200)
  },
})

export const ISSUER_CASES: Readonly<Record<string, WholeCase>> = {
  'trusted_issuers.*.issuer': {
    whole: withIssuer(async ({ scene, call, token, idp }) => {
      const old = await token()
      assert.is(await call(old), 200)
      const next = await startTokenIssuer()
      try {
        await scene.edit((doc) => {
          ofIssuer(doc).issuer = next.issuer
        })
        assert.is(await call(old), 401)
        assert.is(await call(await next.token(`${scene.url}/open`)), 200)
      } finally {
        await next.close()
      }
      await scene.edit((doc) => {
        ofIssuer(doc).issuer = idp.issuer
      })
      assert.is(await call(old), 200)
    }),
  },
  'trusted_issuers.*.jwks_uri': {
    whole: withIssuer(async ({ scene, call, token, idp }) => {
      assert.is(await call(await token()), 200)
      const key = await newSigningKey('other')
      const elsewhere = await startTokenIssuer()
      try {
        elsewhere.knobs.keys = [key]
        await scene.edit((doc) => {
          ofIssuer(doc).jwks_uri = elsewhere.knobs.jwksUri
        })
        assert.is(await call(await idp.token(`${scene.url}/open`, {}, { key })), 200)
        assert.is(await call(await token()), 401)
      } finally {
        await elsewhere.close()
      }
    }),
  },
  'trusted_issuers.*.algorithms': {
    whole: withIssuer(async ({ scene, call, token }) => {
      assert.is(await call(await token()), 200)
      await scene.edit((doc) => {
        ofIssuer(doc).algorithms = ['RS256']
      })
      assert.is(await call(await token()), 401)
    }),
  },
  'trusted_issuers.*.id_jag': {
    whole: withIssuer(async ({ scene, call, token }) => {
      const offered = async () =>
        (await send(`${scene.url}/.well-known/oauth-authorization-server`)).body.grant_types_supported
      const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
      assert.not.ok(((await offered()) as string[]).includes(grant))
      await scene.edit((doc) => {
        ofIssuer(doc).id_jag = true
      })
      assert.ok(((await offered()) as string[]).includes(grant))
      assert.is(await call(await token()), 200)
    }),
  },
  'trusted_issuers.*.legacy_typ': {
    whole: withIssuer(async ({ scene, call, idp }) => {
      const legacy = await idp.token(`${scene.url}/open`, {}, { header: { typ: 'JWT' } })
      assert.is(await call(legacy), 401)
      await scene.edit((doc) => {
        ofIssuer(doc).legacy_typ = true
      })
      assert.is(await call(legacy), 200)
    }),
  },
  'trusted_issuers.*.claims.email': {
    whole: withIssuer(
      async ({ scene, call, token }) => {
        const mine = await token({ mail: 'dora@example.com', email_verified: true })
        assert.is(await call(mine), 403)
        await scene.edit((doc) => {
          ofIssuer(doc).claims = { email: 'mail' }
        })
        assert.is(await call(mine), 200)
      },
      (doc) => {
        doc.routes.open.access = { email_domains: ['example.com'] }
      },
    ),
  },
  'trusted_issuers.*.claims.groups': {
    whole: withIssuer(
      async ({ scene, call, token }) => {
        const mine = await token({ roles: ['staff'] })
        assert.is(await call(mine), 403)
        await scene.edit((doc) => {
          ofIssuer(doc).claims = { groups: 'roles' }
        })
        assert.is(await call(mine), 200)
      },
      (doc) => {
        doc.routes.open.access = { groups: ['staff'] }
      },
    ),
  },
  'routes.*.token_issuer': changesHands('idp'),
  'routes.*.token_issuer.name': changesHands({ name: 'idp' }),
  'routes.*.token_issuer.audience': {
    whole: withIssuer(async ({ scene, call, token, idp }) => {
      const old = await token()
      assert.is(await call(old), 200)
      await scene.edit((doc) => {
        doc.routes.open.token_issuer = { name: 'idp', audience: 'api://open' }
      })
      assert.is(await call(old), 401)
      assert.is(await call(await idp.token('api://open')), 200)
    }),
  },
  'routes.*.token_issuer.scopes': {
    whole: withIssuer(async ({ scene, call, token }) => {
      const old = await token({ scope: 'other' })
      assert.is(await call(old), 200)
      await scene.edit((doc) => {
        doc.routes.open.token_issuer = { name: 'idp', scopes: ['mcp.read'] }
      })
      assert.is(await call(old), 403)
      assert.is(await call(await token({ scope: 'mcp.read' })), 200)
    }),
  },
}
