// docs/reload.md lists every setting with its class, as the schema has them. `UPDATE_DOCS=1` writes the list.
import { readFile, writeFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.ts'
import { leaves } from './leaves.ts'

const test = suite('reload/docs')
const page = new URL('../../docs/reload.md', import.meta.url)
const CLASSES = ['live', 'reconnect', 'reauthorize', 'relogin', 'restart']
const LIST = /(<!-- settings: .*? -->\n)[\s\S]*(<!-- \/settings -->)/

const list = () =>
  CLASSES.map((reload) => {
    const paths = leaves().filter((leaf) => leaf.reload === reload)
    return `\n### ${reload}\n\n${paths.map(({ path }) => `- \`${path}\``).join('\n')}\n`
  }).join('')

test('the page lists every setting under its class', async () => {
  const text = await readFile(page, 'utf8')
  assert.match(text, LIST)
  const current = text.replace(LIST, (_, open: string, close: string) => `${open}${list()}\n${close}`)
  if (process.env.UPDATE_DOCS === '1') await writeFile(page, current)
  else assert.is(text, current, 'UPDATE_DOCS=1 node --import tsx test/reload/docs.test.ts')
})

test('the page tells what each class means', async () => {
  const text = await readFile(page, 'utf8')
  for (const reload of CLASSES) assert.match(text, `| **${reload}** |`)
})

test.run()
