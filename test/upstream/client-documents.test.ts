// How much is read of what clients have us fetch: little for strangers, more where the configuration names the address.
import * as assert from 'uvu/assert'
import { OAuthError } from '../../src/errors.ts'
import { createClientDocuments, type KeySetSource } from '../../src/upstream/client-documents.ts'
import { controlHttp } from '../../src/upstream/http.ts'
import { listen } from '../support/http.ts'
import { record } from '../support/recorder.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/client-documents')
const KIB = 1024

const LIMITS: Record<KeySetSource, number> = { document: 5 * KIB, configuration: 64 * KIB }

for (const [namedBy, limit] of Object.entries(LIMITS) as [KeySetSource, number][])
  test(`a key set that the ${namedBy} names may have ${limit / KIB} KiB, and what is longer is not remembered`, async ({
    after,
  }) => {
    let bytes = limit + 1
    const host = await listen((_, response) => {
      const headers = { 'content-type': 'application/json', 'cache-control': 'max-age=3600' }
      response.writeHead(200, headers).end('x'.repeat(bytes))
    })
    after(() => host.close())
    const recorder = record(host.server)
    const documents = createClientDocuments(controlHttp, Date.now)
    const rules = { privateSchemes: [], privateHosts: ['127.0.0.1'] }
    const read = () => documents.keys(`${host.origin}/jwks.json`, rules, namedBy)
    const refused = await read().catch((error: unknown) => error)
    assert.ok(refused instanceof OAuthError && refused.code === 'temporarily_unavailable')
    bytes = limit
    assert.is((await read()).length, limit)
    assert.is((await read()).length, limit)
    assert.is(recorder.count(), 2)
  })

test.run()
