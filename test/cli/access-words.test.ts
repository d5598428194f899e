import * as assert from 'uvu/assert'
import { accessInWords } from '../../src/cli/access-words.ts'
import type { AccessConfig } from '../../src/config/types.ts'
import { suite } from '../support/suite.ts'

const test = suite('cli/access-words')

const WORDS: readonly (readonly [AccessConfig, string])[] = [
  ['anyone', 'anyone'],
  [{ users: ['ann'], groups: ['ops'] }, 'ann,@ops'],
  [{ email_domains: ['example.com'] }, '*@example.com'],
  [
    { clients: ['nightly'], claims: { department: ['ops', 'security'] } },
    'client:nightly,department=ops|security',
  ],
  [{ deny: { users: ['mallory'], groups: [], claims: { left: true } } }, 'anyone,!mallory,!left=true'],
  [{ users: [] }, 'nobody'],
]

for (const [access, words] of WORDS) {
  test(`${JSON.stringify(access)} is ${words}`, () => {
    assert.is(accessInWords(access), words)
  })
}

test.run()
