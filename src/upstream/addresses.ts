// Which IP addresses belong to the public internet. Pure. It parses nothing itself (a hand-written parser is how
// guards get bypassed) and asks no resolver: it judges only what a connection would really be made to.
import { BlockList, isIP } from 'node:net'

type Subnet = readonly [network: string, prefix: number]

/** Every block of IANA's IPv4 special-purpose registry (RFC 6890), those it calls globally reachable too: no web server lives there. */
const SPECIAL_IPV4: readonly Subnet[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  // In no registry: Azure's host answers here, to every virtual machine, with what configures it.
  ['168.63.129.16', 32],
]

/**
 * All that is global unicast (RFC 4291 §2.4). Outside it lie loopback, unique-local, link- and site-local addresses,
 * multicast, and the forms that carry an IPv4 address in low bits: mapped, compatible, translated, NAT64.
 */
const GLOBAL_IPV6: readonly Subnet[] = [['2000::', 3]]

/** What of 2000::/3 is special all the same, Teredo (2001::/32) and 6to4 (2002::/16) with the IPv4 addresses inside them. */
const SPECIAL_IPV6: readonly Subnet[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
]

const specialIpv4 = blockList(SPECIAL_IPV4, 'ipv4')
const globalIpv6 = blockList(GLOBAL_IPV6, 'ipv6')
const specialIpv6 = blockList(SPECIAL_IPV6, 'ipv6')

/** False for what is not an IP address in text, and for one with a zone: a zone only means something on this machine. */
export function isPublicAddress(ip: string): boolean {
  if (ip.includes('%')) return false
  const family = isIP(ip)
  if (family === 4) return !specialIpv4.check(ip, 'ipv4')
  return family === 6 && globalIpv6.check(ip, 'ipv6') && !specialIpv6.check(ip, 'ipv6') && !isIsatap(ip)
}

/**
 * ISATAP (RFC 5214 §6.1) may sit in any prefix: its interface identifier is 0:5efe or 200:5efe and an IPv4 address of
 * the inside. Refused whatever that address is; so is every transition form above, since each is a way around IPv4's list.
 */
function isIsatap(ip: string): boolean {
  const groups = groupsOf(ip)
  return groups[5] === '5efe' && (groups[4] === '0' || groups[4] === '200')
}

/** The eight groups, read off the one form that the URL parser writes: lower case, no leading zeros, no dotted tail. */
function groupsOf(ip: string): readonly string[] {
  const canonical = new URL(`http://[${ip}]/`).hostname.slice(1, -1)
  const [left = [], right = []] = canonical.split('::').map((half) => half.split(':').filter(Boolean))
  return [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
}

function blockList(subnets: readonly Subnet[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, family)
  return list
}
