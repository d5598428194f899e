import * as assert from 'uvu/assert'
import { stateFolder, stateIdForFile, stateIdForUrl, statePaths } from '../../src/store/state-folder.ts'
import { suite } from '../support/suite.ts'

const test = suite('store/state-folder')

test('state lives where the operating system keeps state', () => {
  const cases = [
    ['linux', { HOME: '/home/a' }, '/home/a/.local/state/mcp-oauth-gateway/id'],
    ['linux', { HOME: '/home/a', XDG_STATE_HOME: '/state' }, '/state/mcp-oauth-gateway/id'],
    ['linux', { HOME: '/home/a', XDG_STATE_HOME: 'state' }, '/home/a/.local/state/mcp-oauth-gateway/id'],
    ['linux', { HOME: '/home/a', XDG_STATE_HOME: '' }, '/home/a/.local/state/mcp-oauth-gateway/id'],
    ['darwin', { HOME: '/Users/a' }, '/Users/a/Library/Application Support/mcp-oauth-gateway/id'],
    ['win32', { LOCALAPPDATA: 'C:\\L' }, 'C:\\L\\mcp-oauth-gateway\\id'],
    ['win32', { USERPROFILE: 'C:\\U\\a' }, 'C:\\U\\a\\AppData\\Local\\mcp-oauth-gateway\\id'],
  ] as const
  for (const [platform, env, expected] of cases) assert.is(stateFolder('id', env, platform), expected)
})

test('without a home in the environment the one of the account is used', () => {
  assert.match(stateFolder('id', {}, 'linux'), /^\/.*\/\.local\/state\/mcp-oauth-gateway\/id$/)
})

test('the three places, by default and beside a stated path', () => {
  assert.equal(statePaths('/state/id'), {
    store: '/state/id/store',
    key: '/state/id/store.key',
    password: '/state/id/password',
  })
  assert.equal(statePaths('/state/id', '/data/gateway/'), {
    store: '/data/gateway',
    key: '/data/gateway.key',
    password: '/data/gateway.password',
  })
  assert.is(statePaths('/state/id', 'kept/store', '/etc/mcp').store, '/etc/mcp/kept/store')
  assert.is(statePaths('/state/id', '/data/gateway', '/etc/mcp').store, '/data/gateway')
})

test('each config file has its own readable id, fit for any file system', () => {
  const id = stateIdForFile('/home/a/My Wörk/gateways.yaml')
  assert.match(id, /^my-w-rk-gateways\.yaml-[0-9a-f]{10}$/)
  assert.is(stateIdForFile('/home/a/My Wörk/gateways.yaml'), id)
  const paths = [
    '/home/b/My Wörk/gateways.yaml',
    '/home/a/my wörk/gateways.yaml',
    '/home/a/My_Wörk/gateways.yaml',
  ]
  const ids = paths.map(stateIdForFile)
  assert.is(new Set([id, ...ids]).size, 4)
  for (const odd of ['/', '/..', '/.../...', `/${'x'.repeat(300)}/${'y'.repeat(300)}`, '/日本/語']) {
    assert.match(stateIdForFile(odd), /^[a-z0-9][a-z0-9.-]{0,39}-[0-9a-f]{10}$/, odd)
  }
})

test('each origin has its own id, however it is spelled', () => {
  const id = stateIdForUrl('https://mcp.example.com:8443')
  assert.match(id, /^mcp\.example\.com-8443-[0-9a-f]{10}$/)
  assert.is(stateIdForUrl('https://MCP.example.com:8443/'), id)
  assert.is(stateIdForUrl('https://a.example'), stateIdForUrl('https://a.example:443/'))
  const others = [
    'http://mcp.example.com:8443',
    'https://mcp.example.com',
    'http://localhost:8002',
    'http://[::1]:8002',
  ]
  assert.is(new Set([id, ...others.map(stateIdForUrl)]).size, 5)
})

test.run()
