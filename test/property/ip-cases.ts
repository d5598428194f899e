// Addresses where classifiers go wrong: at the edges of every block, one bit beside them, and IPv4 inside IPv6; each
// with the text that says it. The number is drawn first and written down then, so the answer never comes from parsing.
import fc from 'fast-check'
import { entropy, pick } from './check.ts'
import { type Block, isPublicV4, isPublicV6, lastOf, SPECIAL_V4, SPECIAL_V6 } from './ip-reference.ts'

export interface IpCase {
  readonly text: string
  readonly isPublic: boolean
}

type Numbers = readonly [number, number, number, number, number, number]
const numbers = fc.tuple(entropy, entropy, entropy, entropy, entropy, entropy)

const big = (...words: number[]): bigint => words.reduce((value, word) => (value << 32n) | BigInt(word), 0n)

/** A block's first or last address, or one inside; or a neighbour; or the same with a bit of it turned. */
function nearBlock(
  blocks: readonly [Block, ...Block[]],
  bits: 32 | 128,
  which: number,
  within: bigint,
): bigint {
  const block = pick(blocks, which)
  const [first, last] = [block[0], lastOf(block, bits)]
  const choice = Math.floor(which / blocks.length)
  const turned = 1n << (within % BigInt(bits))
  const value = pick(
    [
      first,
      last,
      first - 1n,
      last + 1n,
      first + (within % (last - first + 1n)),
      first ^ turned,
      last ^ turned,
    ],
    choice,
  )
  return BigInt.asUintN(bits, value)
}

const v4Of = ([kind, a, b]: Numbers): bigint =>
  kind % 4 === 0 ? BigInt(a) : nearBlock(SPECIAL_V4, 32, a, BigInt(b))

const PUBLIC_PREFIX = 0x2606_4700n << 96n

/** Every way to carry an IPv4 address, and the same ways beside where they count. */
const CARRIERS: readonly [(v4: bigint, any: bigint) => bigint, ...((v4: bigint, any: bigint) => bigint)[]] = [
  (v4) => v4,
  (v4) => (0xffffn << 32n) | v4,
  (v4) => (0xffffn << 48n) | v4,
  (v4) => (0x64_ff9bn << 96n) | v4,
  (v4) => (0x64_ff9b_0001n << 80n) | v4,
  (v4, any) => (0x2002n << 112n) | (v4 << 80n) | (any >> 48n),
  (v4, any) => (0x2001_0000n << 96n) | (any & (0xffff_ffff_ffffn << 48n)) | (v4 ^ 0xffff_ffffn),
  (v4, any) => PUBLIC_PREFIX | (((any >> 64n) << 64n) & (0xffff_ffffn << 64n)) | (0x5efen << 32n) | v4,
  (v4, any) => PUBLIC_PREFIX | (((any >> 64n) << 64n) & (0xffff_ffffn << 64n)) | (0x0200_5efen << 32n) | v4,
  (v4) => PUBLIC_PREFIX | (0x0100_5efen << 32n) | v4,
  (v4) => PUBLIC_PREFIX | (0x5efen << 48n) | v4,
  (v4) => PUBLIC_PREFIX | (0xffffn << 32n) | v4,
  (v4) => (0xfe80n << 112n) | (0x5efen << 32n) | v4,
]

function v6Of(drawn: Numbers): bigint {
  const [kind, a, b, c, d] = drawn
  const any = big(a, b, c, d)
  if (kind % 4 === 0) return any
  if (kind % 4 === 1) return (1n << 125n) | (any >> 3n)
  if (kind % 4 === 2) return nearBlock(SPECIAL_V6, 128, a, any)
  return pick(CARRIERS, a)(v4Of([kind >>> 2, b, c, 0, 0, 0]), big(b, a, d, c))
}

export const dotted = (v4: bigint): string =>
  [24n, 16n, 8n, 0n].map((shift) => String((v4 >> shift) & 0xffn)).join('.')

/** RFC 4291 §2.2 in all its freedom: leading zeros, either case, any one run of zeros left out, a dotted tail. */
export function spellV6(value: bigint, style: number): string {
  const groups = Array.from({ length: 8 }, (_, index) => {
    const digits = ((value >> BigInt(16 * (7 - index))) & 0xffffn).toString(16)
    const padded = (style >>> index) & 1 ? digits.padStart(4, '0') : digits
    return (style >>> (8 + index)) & 1 ? padded.toUpperCase() : padded
  })
  const tail = (style >>> 16) & 1 ? [dotted(value & 0xffff_ffffn)] : []
  const parts = [...(tail.length > 0 ? groups.slice(0, 6) : groups), ...tail]
  const from = (style >>> 17) & 7
  let to = from
  while (to < parts.length && /^0+$/.test(parts[to] ?? '')) to += 1
  if (to === from) return parts.join(':')
  const length = 1 + ((style >>> 20) % (to - from))
  return `${parts.slice(0, from).join(':')}::${parts.slice(from + length).join(':')}`
}

export const addresses: fc.Arbitrary<IpCase> = numbers.map((drawn) => {
  const [kind, , , , , style] = drawn
  if (kind % 3 === 0) {
    const value = v4Of([kind >>> 2, drawn[1], drawn[2], 0, 0, 0])
    return { text: dotted(value), isPublic: isPublicV4(value) }
  }
  const value = v6Of(drawn)
  return { text: spellV6(value, style), isPublic: isPublicV6(value) }
})

/** Texts that some parser takes for an address: zones, brackets, ports, prefixes, other bases, missing parts, other digits. */
const DISGUISES: readonly [(v4: string, v6: string) => string, ...((v4: string, v6: string) => string)[]] = [
  (_, v6) => `${v6}%eth0`,
  (_, v6) => `${v6}%25lo`,
  (_, v6) => `${v6}%`,
  (_, v6) => `[${v6}]`,
  (_, v6) => `${v6}/64`,
  (_, v6) => `${v6}::`,
  (_, v6) => ` ${v6}`,
  (v4) => `${v4}.`,
  (v4) => `${v4} `,
  (v4) => `${v4}:80`,
  (v4) => `${v4}/32`,
  (v4) => `${v4}\0`,
  (v4) => v4.replace(/^\d+/, (part) => `0${Number(part).toString(8)}`),
  (v4) => v4.replace(/^\d+/, (part) => `0x${Number(part).toString(16)}`),
  (v4) => v4.replace(/\.\d+$/, ''),
  (v4) => v4.replaceAll('.', '。'),
  (v4) => v4.replace(/\d/, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
  (v4) => `${v4}.1`,
  (v4) => `-${v4}`,
]

export const noAddresses: fc.Arbitrary<string> = numbers.map((drawn) => {
  const [kind, , , , , style] = drawn
  return pick(DISGUISES, style)(
    dotted(v4Of([kind >>> 2, drawn[1], drawn[2], 0, 0, 0])),
    spellV6(v6Of(drawn), 0),
  )
})

const inBase = (part: bigint, base: number) =>
  pick([part.toString(), `0${part.toString(8)}`, `0x${part.toString(16)}`], base)
const circled = (digit: string) => (digit === '0' ? '⓪' : String.fromCodePoint(0x245f + Number(digit)))

/** All that a URL parser reads as an IPv4 address: one to four parts, each decimal, octal or hexadecimal, then other digits and dots. */
function hostOfV4(value: bigint, style: number): string {
  const parts = 1 + (style & 3)
  const leading = Array.from({ length: parts - 1 }, (_, index) => (value >> BigInt(24 - 8 * index)) & 0xffn)
  const rest = value & ((1n << BigInt(8 * (5 - parts))) - 1n)
  const host = [...leading, rest]
    .map((part, index) => inBase(part, (style >>> (2 + 2 * index)) & 3))
    .join('.')
  const disguised = pick(
    [
      host,
      `${host}.`,
      host.replaceAll('.', '。'),
      host.replaceAll('.', '｡'),
      host.replace(/\d/g, circled),
      host.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
      host.replace(/\d/g, (digit) => `%3${digit}`),
      host.toUpperCase(),
    ],
    style >>> 10,
  )
  return disguised
}

export interface HostCase {
  readonly host: string
  /** What a connection would be made to. */
  readonly address: string | undefined
  readonly isPublic: boolean
}

/** Hosts of URLs, as strangers write them. */
export const hosts: fc.Arbitrary<HostCase> = numbers.map((drawn) => {
  const [kind, , , , , style] = drawn
  if (kind % 4 === 0) {
    const value = v6Of([kind >>> 2, drawn[1], drawn[2], drawn[3], drawn[4], 0])
    return { host: `[${spellV6(value, style)}]`, address: undefined, isPublic: isPublicV6(value) }
  }
  const value = v4Of([kind >>> 2, drawn[1], drawn[2], 0, 0, 0])
  return { host: hostOfV4(value, style), address: dotted(value), isPublic: isPublicV4(value) }
})
