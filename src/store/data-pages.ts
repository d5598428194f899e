// Follows the trees of an LMDB data file (data format 2, 64 bit) to see that all they lead to is there.
import type { FileHandle } from 'node:fs/promises'

export interface DataFile {
  readonly file: FileHandle
  readonly pageBytes: number
  /** Whole pages that the file has. */
  readonly pages: number
}

/** Stands for the root of a tree without records. */
export const NO_ROOT = 2n ** 64n - 1n

const HEADER_BYTES = 24
const FLAGS_AT = 18
/** Twice the number of nodes. */
const LOWER_AT = 20
const BRANCH = 0x01
const LEAF = 0x02
/** Its nodes are bare values, which lead nowhere. */
const FIXED_LEAF = 0x20

const NODE_HEADER_BYTES = 8
/** The node's data has pages of its own, and here stand the first (8 bytes), a transaction (8) and how many (8). */
const BIG_DATA = 0x01
/** The node's data describes a further tree. */
const SUB_TREE = 0x02
const ROOT_IN_TREE_AT = 40

interface Links {
  /** Pages that lead further. */
  readonly trees: readonly bigint[]
  /** The last page of each value that has pages of its own. */
  readonly ends: readonly bigint[]
}

const NOWHERE: Links = { trees: [], ends: [] }

/** True when every page that these trees lead to lies within the file. */
export async function isAllWithin(roots: readonly bigint[], data: DataFile): Promise<boolean> {
  const isMissing = (number: bigint) => number !== NO_ROOT && number >= BigInt(data.pages)
  const page = Buffer.alloc(data.pageBytes)
  const ahead = [...roots]
  // More visits than there are pages are a circle.
  for (let visits = 0; visits <= data.pages + roots.length; visits += 1) {
    const number = ahead.pop()
    if (number === undefined) return true
    if (isMissing(number)) return false
    if (number === NO_ROOT) continue
    await data.file.read(page, 0, data.pageBytes, Number(number) * data.pageBytes)
    const links = linksOf(page)
    if (links === undefined || links.ends.some(isMissing)) return false
    ahead.push(...links.trees)
  }
  return false
}

/** Undefined: this is no page of a tree. */
function linksOf(page: Buffer): Links | undefined {
  const flags = page.readUInt16LE(FLAGS_AT)
  if ((flags & FIXED_LEAF) !== 0) return NOWHERE
  try {
    if ((flags & BRANCH) !== 0)
      return {
        ...NOWHERE,
        trees: nodes(page)
          .map((at) => page.readUIntLE(at, 6))
          .map(BigInt),
      }
    if ((flags & LEAF) !== 0) return linksOfLeaf(page)
  } catch (error) {
    // What it names lies outside of it.
    if (!(error instanceof RangeError)) throw error
  }
  return undefined
}

function linksOfLeaf(page: Buffer): Links {
  const all = nodes(page).map((at) => ({
    flags: page.readUInt16LE(at + 4),
    data: at + NODE_HEADER_BYTES + page.readUInt16LE(at + 6),
  }))
  return {
    trees: all
      .filter(({ flags }) => (flags & SUB_TREE) !== 0)
      .map(({ data }) => page.readBigUInt64LE(data + ROOT_IN_TREE_AT)),
    ends: all
      .filter(({ flags }) => (flags & BIG_DATA) !== 0)
      .map(({ data }) => page.readBigUInt64LE(data) + page.readBigUInt64LE(data + 16) - 1n),
  }
}

/** Where they begin. */
function nodes(page: Buffer): readonly number[] {
  const count = page.readUInt16LE(LOWER_AT) >> 1
  return Array.from(
    { length: count },
    (_, index) => HEADER_BYTES + page.readUInt16LE(HEADER_BYTES + 2 * index),
  )
}
