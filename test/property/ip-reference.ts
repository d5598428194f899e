// Which addresses are public, told a second time: every row of the two registries as a number and a prefix length, and
// nothing but shifts. It never reads an address in text.

export type Block = readonly [first: bigint, prefix: number]

/** IANA IPv4 Special-Purpose Address Registry, row by row, with multicast, and Azure's host. */
export const SPECIAL_V4: readonly [Block, ...Block[]] = [
  [0x00000000n, 8],
  [0x00000000n, 32],
  [0x0a000000n, 8],
  [0x64400000n, 10],
  [0x7f000000n, 8],
  [0xa9fe0000n, 16],
  [0xac100000n, 12],
  [0xc0000000n, 24],
  [0xc0000000n, 29],
  [0xc0000008n, 32],
  [0xc0000009n, 32],
  [0xc000000an, 32],
  [0xc00000aan, 32],
  [0xc00000abn, 32],
  [0xc0000200n, 24],
  [0xc01fc400n, 24],
  [0xc034c100n, 24],
  [0xc0586300n, 24],
  [0xc0586302n, 32],
  [0xc0a80000n, 16],
  [0xc0af3000n, 24],
  [0xc6120000n, 15],
  [0xc6336400n, 24],
  [0xcb007100n, 24],
  [0xe0000000n, 4],
  [0xf0000000n, 4],
  [0xffffffffn, 32],
  [0xa83f8110n, 32],
]

/** IANA IPv6 Special-Purpose Address Registry, row by row, with site-local, multicast and the two IPv4 forms of RFC 4291 and RFC 2765. */
export const SPECIAL_V6: readonly [Block, ...Block[]] = [
  [0x0n, 96],
  [0x0n, 128],
  [0x1n, 128],
  [0xffff_00000000n, 96],
  [0xffff_0000_00000000n, 96],
  [0x0064_ff9b_0000_0000_0000_0000_0000_0000n, 96],
  [0x0064_ff9b_0001_0000_0000_0000_0000_0000n, 48],
  [0x0100_0000_0000_0000_0000_0000_0000_0000n, 64],
  [0x0100_0000_0000_0001_0000_0000_0000_0000n, 64],
  [0x2001_0000_0000_0000_0000_0000_0000_0000n, 23],
  [0x2001_0000_0000_0000_0000_0000_0000_0000n, 32],
  [0x2001_0001_0000_0000_0000_0000_0000_0001n, 128],
  [0x2001_0001_0000_0000_0000_0000_0000_0002n, 128],
  [0x2001_0001_0000_0000_0000_0000_0000_0003n, 128],
  [0x2001_0002_0000_0000_0000_0000_0000_0000n, 48],
  [0x2001_0003_0000_0000_0000_0000_0000_0000n, 32],
  [0x2001_0004_0112_0000_0000_0000_0000_0000n, 48],
  [0x2001_0010_0000_0000_0000_0000_0000_0000n, 28],
  [0x2001_0020_0000_0000_0000_0000_0000_0000n, 28],
  [0x2001_0030_0000_0000_0000_0000_0000_0000n, 28],
  [0x2001_0db8_0000_0000_0000_0000_0000_0000n, 32],
  [0x2002_0000_0000_0000_0000_0000_0000_0000n, 16],
  [0x2620_004f_8000_0000_0000_0000_0000_0000n, 48],
  [0x3fff_0000_0000_0000_0000_0000_0000_0000n, 20],
  [0x5f00_0000_0000_0000_0000_0000_0000_0000n, 16],
  [0xfc00_0000_0000_0000_0000_0000_0000_0000n, 7],
  [0xfe80_0000_0000_0000_0000_0000_0000_0000n, 10],
  [0xfec0_0000_0000_0000_0000_0000_0000_0000n, 10],
  [0xff00_0000_0000_0000_0000_0000_0000_0000n, 8],
]

export const lastOf = ([first, prefix]: Block, bits: 32 | 128): bigint =>
  first | ((1n << BigInt(bits - prefix)) - 1n)

const isIn = (value: bigint, block: Block, bits: 32 | 128): boolean =>
  value >= block[0] && value <= lastOf(block, bits)

export const isPublicV4 = (value: bigint): boolean => !SPECIAL_V4.some((block) => isIn(value, block, 32))

/** IANA has given out nothing but 2000::/3; ISATAP (RFC 5214 §6.1) is told by its interface identifier, wherever it is. */
export function isPublicV6(value: bigint): boolean {
  const identifier = (value >> 32n) & 0xffffffffn
  const isIsatap = identifier === 0x00005efen || identifier === 0x02005efen
  return value >> 125n === 1n && !isIsatap && !SPECIAL_V6.some((block) => isIn(value, block, 128))
}
