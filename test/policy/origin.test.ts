// Which Host and Origin an MCP request may carry.
import * as assert from 'uvu/assert'
import { isAllowedHost, isAllowedOrigin, type SiteRules } from '../../src/policy/origin.ts'
import { suite } from '../support/suite.ts'

const test = suite('policy/origin')
const rules = (issuer: string, more: Partial<SiteRules> = {}): SiteRules => ({
  issuer,
  allowedHosts: new Set(),
  allowedOrigins: new Set(),
  ...more,
})
const local = rules('http://localhost:8002')
const published = rules('https://gw.example', {
  allowedHosts: new Set(['internal:8002']),
  allowedOrigins: new Set(['https://app.example']),
})

test('the gateway answers to its public host and to what the configuration lists', () => {
  for (const host of ['gw.example', 'GW.example', 'internal:8002', 'INTERNAL:8002']) {
    assert.ok(isAllowedHost(published, host), host)
  }
})

test('loopback names are always good: a proxy on this machine sends them', () => {
  for (const host of ['localhost', 'localhost:9999', '127.0.0.1:8002', '[::1]:8002', '[::1]']) {
    assert.ok(isAllowedHost(local, host), host)
    assert.ok(isAllowedHost(published, host), host)
  }
})

test('spec-R6: a name that somebody else points here is refused', () => {
  const foreign = [
    undefined,
    '',
    'evil.example',
    'gw.example.evil.example',
    'gw.example:8443',
    'gw.example.',
    'localhost.evil.example',
    'localhost.evil.example:8002',
    '127.0.0.1.evil.example',
    'internal',
    'evil.example:8002#localhost',
    'localhost:8002:80x',
    '0.0.0.0:8002',
  ]
  for (const host of foreign) {
    assert.not.ok(isAllowedHost(local, host), `local: ${host}`)
    assert.not.ok(isAllowedHost(published, host), `published: ${host}`)
  }
})

test('programs send no Origin; the own one and listed ones are good', () => {
  for (const origin of [undefined, 'https://gw.example', 'https://app.example']) {
    assert.ok(isAllowedOrigin(published, origin), String(origin))
  }
})

test('a page on loopback may call a gateway on loopback, and only that', () => {
  for (const origin of [
    'http://localhost:6274',
    'http://127.0.0.1:3000',
    'http://[::1]:1',
    'https://localhost',
  ]) {
    assert.ok(isAllowedOrigin(local, origin), origin)
    assert.not.ok(isAllowedOrigin(published, origin), origin)
  }
})

test('every other Origin is refused', () => {
  const foreign = [
    '',
    'null',
    'https://evil.example',
    'https://app.example.evil.example',
    'https://app.example:8443',
    'http://app.example',
    'http://gw.example',
    'http://localhost.evil.example',
    'localhost:8002',
    'file://',
    'chrome-extension://abc',
  ]
  for (const origin of foreign) {
    assert.not.ok(isAllowedOrigin(local, origin), `local: ${origin}`)
    assert.not.ok(isAllowedOrigin(published, origin), `published: ${origin}`)
  }
})

test.run()
