import * as assert from 'uvu/assert'
import { isPublicAddress } from '../../src/upstream/addresses.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/addresses')

/** Both edges of every block, and the addresses that attacks are after. */
const SPECIAL: Readonly<Record<string, readonly string[]>> = {
  'this network': ['0.0.0.0', '0.0.0.1', '0.255.255.255'],
  'private 10/8': ['10.0.0.0', '10.1.2.3', '10.255.255.255'],
  'private 172.16/12': ['172.16.0.0', '172.17.0.1', '172.31.255.255'],
  'private 192.168/16': ['192.168.0.0', '192.168.1.1', '192.168.255.255'],
  'carrier-grade NAT': ['100.64.0.0', '100.100.100.200', '100.127.255.255'],
  'IPv4 loopback': ['127.0.0.0', '127.0.0.1', '127.1.1.1', '127.255.255.255'],
  'link-local, with cloud metadata': ['169.254.0.0', '169.254.169.254', '169.254.170.2', '169.254.255.255'],
  'IETF protocol assignments': ['192.0.0.0', '192.0.0.8', '192.0.0.192', '192.0.0.255'],
  'IPv4 documentation': ['192.0.2.1', '198.51.100.1', '203.0.113.0', '203.0.113.255'],
  'IPv4 AS112, AMT and the 6to4 relay': ['192.31.196.1', '192.52.193.1', '192.88.99.1', '192.175.48.1'],
  benchmarking: ['198.18.0.0', '198.19.255.255'],
  'IPv4 multicast': ['224.0.0.0', '224.0.0.251', '239.255.255.255'],
  'reserved, and broadcast': ['240.0.0.0', '254.1.2.3', '255.255.255.255'],
  "Azure's host": ['168.63.129.16'],
  'IPv6 unspecified and loopback': ['::', '::1', '0:0:0:0:0:0:0:1', '::0.0.0.1'],
  'IPv4-compatible': ['::127.0.0.1', '::7f00:1', '::8.8.8.8', '::a9fe:a9fe'],
  'IPv4-mapped': [
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::FFFF:10.0.0.1',
    '::ffff:8.8.8.8',
    '0:0:0:0:0:ffff:7f00:1',
  ],
  'IPv4-translated': ['::ffff:0:127.0.0.1', '::ffff:0:7f00:1', '::ffff:0:8.8.8.8'],
  NAT64: ['64:ff9b::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b::a9fe:a9fe', '64:ff9b::8.8.8.8'],
  'local NAT64': ['64:ff9b:1::', '64:ff9b:1::7f00:1', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
  'discard-only and dummy prefix': ['100::', '100::1', '100:0:0:1::1'],
  Teredo: ['2001::', '2001:0:7f00:1::', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
  'protocol assignments of 2001::/23': [
    '2001:1::1',
    '2001:2::1',
    '2001:3::1',
    '2001:4:112::1',
    '2001:1ff:ffff::',
  ],
  'ORCHID and drone tags': ['2001:10::1', '2001:20::1', '2001:2f:ffff::1', '2001:30::1'],
  'IPv6 documentation': ['2001:db8::', '2001:db8:ffff::1', '3fff::', '3fff:fff:ffff::1'],
  '6to4': ['2002::', '2002:7f00:1::', '2002:a9fe:a9fe::1', '2002:808:808::1', '2002:ffff:ffff::'],
  'IPv6 AS112': ['2620:4f:8000::1'],
  'segment routing': ['5f00::1'],
  'unique-local': ['fc00::', 'fc00::1', 'fd00:ec2::254', 'fd20:ce::254', 'fdff:ffff::1'],
  'IPv6 link-local': ['fe80::', 'fe80::1', 'fe80::a9fe:a9fe', 'febf:ffff::1'],
  'site-local': ['fec0::', 'fec0::1', 'feff:ffff::1'],
  'IPv6 multicast': ['ff00::', 'ff02::1', 'ff0e::1'],
  ISATAP: [
    '2606:4700::5efe:10.0.0.1',
    '2606:4700::5efe:a9fe:a9fe',
    '2606:4700:1:2:200:5efe:7f00:1',
    '2606:4700:1:2:0200:5EFE:192.168.1.1',
    '2606:4700:1:2:0:5efe:808:808',
    'fe80::5efe:192.168.0.1',
  ],
  'outside global unicast': ['1fff:ffff::1', '4000::1', '8000::1', 'c000::1', 'e000::1', 'fb00::1'],
  'an address with a zone': ['fe80::1%eth0', '::1%lo', '2606:4700::1%1', '2606:4700::1%'],
  'not an address': [
    '',
    'localhost',
    'example.com',
    '127.1',
    '0x7f.1',
    '2130706433',
    '0177.0.0.1',
    '08.8.8.8',
    '8.8.8.8.',
    '8.8.8',
    '8.8.8.8/32',
    ' 8.8.8.8',
    '[::1]',
    '[2606:4700::1]',
    '2606:4700::1::',
    '２606:4700::1',
  ],
}

const PUBLIC: readonly string[] = [
  '1.0.0.0',
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '93.184.216.34',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '140.82.121.4',
  '168.63.129.15',
  '168.63.129.17',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '191.255.255.255',
  '192.0.1.0',
  '192.0.3.0',
  '192.88.98.255',
  '192.88.100.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '198.51.99.255',
  '198.51.101.0',
  '203.0.112.255',
  '203.0.114.0',
  '223.255.255.255',
  '2000::',
  '2001:200::',
  '2001:4860:4860::8888',
  '2001:db7:ffff::1',
  '2001:db9::1',
  '2001:FFFF::1',
  '2003::1',
  '2400:cb00:2048:1::c629:d7a2',
  '2606:4700:4700::1111',
  '2606:4700:1:2:1:5efe:808:808',
  '2606:4700:5efe::1',
  '2606:4700::5eff:a9fe:a9fe',
  '2620:4f:8001::1',
  '2620:4f:7fff::1',
  '2a00:1450:4001:82a::200e',
  '2d00::1',
  '3ffe:ffff::1',
  '3fff:1000::1',
]

for (const [block, addresses] of Object.entries(SPECIAL)) {
  test(`sec-F2: ${block} is not public`, () => {
    for (const address of addresses) assert.is(isPublicAddress(address), false, address)
  })
}

test('sec-F2: what borders on a special block is public', () => {
  for (const address of PUBLIC) assert.is(isPublicAddress(address), true, address)
})

test('sec-F2: an address is judged alike however it is written', () => {
  for (const address of [
    '2001:db8::1',
    '2002:7f00:1::',
    '2606:4700::200:5efe:a00:1',
    '2a00:1450::1',
    'fd00:ec2::254',
  ]) {
    const full = expanded(address)
    for (const form of [full, full.toUpperCase(), full.replace(/(^|:)0{1,3}(?=.)/g, '$1')]) {
      assert.is(isPublicAddress(form), isPublicAddress(address), form)
    }
  }
})

/** All eight groups of four digits. */
function expanded(address: string): string {
  const [left = [], right = []] = address.split('::').map((half) => half.split(':').filter(Boolean))
  const zeros = Array<string>(8 - left.length - right.length).fill('0')
  return [...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join(':')
}

test.run()
