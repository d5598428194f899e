// What counts as an address of this gateway itself.
import * as assert from 'uvu/assert'
import { authorizationServerMetadata } from '../../src/oauth/metadata.ts'
import { isOwnAddress } from '../../src/oauth/own-address.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/own-address')
const PUBLIC = 'https://mcp.example.com'

test('whatever the gateway publishes about itself is its own', () => {
  const features = { registration: true, clientDocuments: true, grantTypes: [] }
  const published = Object.entries(authorizationServerMetadata(PUBLIC, features))
  const addresses = published.filter(([name]) => /^issuer$|_endpoint$|_uri$/.test(name))
  assert.is(addresses.length, 7)
  for (const [name, url] of addresses) assert.ok(isOwnAddress(String(url), PUBLIC), name)
})

for (const [url, own] of [
  ['https://mcp.example.com/', PUBLIC],
  ['HTTPS://MCP.Example.com:443/token', PUBLIC],
  ['https://mcp.example.com./token?a=b', PUBLIC],
  ['https://mcp.example.com/token', `${PUBLIC}/`],
  ['https://mcp.example.com:8443', 'https://mcp.example.com:8443'],
  ['http://127.0.0.1:3000', 'http://localhost:3000'],
  ['http://[::1]:3000/register', 'http://localhost:3000'],
  ['http://localhost:3000/authorize', 'http://127.0.0.1:3000'],
  ['http://localhost', 'http://127.0.0.1:80'],
] as const)
  test(`${url} is ${own}`, () => assert.ok(isOwnAddress(url, own)))

for (const [url, own] of [
  ['https://mcp.example.com/realms/acme', PUBLIC],
  ['https://mcp.example.com/realms/acme/token', PUBLIC],
  ['https://mcp.example.com:8443/token', PUBLIC],
  ['https://auth.example.com/token', PUBLIC],
  ['https://mcp.example.com.evil.test/token', PUBLIC],
  ['http://localhost:3001/token', 'http://localhost:3000'],
  ['https://auth.localhost/token', 'https://gateway.localhost'],
  ['http://localhost.evil.test:3000', 'http://localhost:3000'],
] as const)
  test(`${url} is not ${own}`, () => assert.not.ok(isOwnAddress(url, own)))

test.run()
