// Judges an LMDB data file before it is opened, because opening a foreign or cut-off file does not fail: it ends the
// process (SIGSEGV on garbage, SIGBUS behind the end of the file). Most often it reads only the two meta pages.
import { open } from 'node:fs/promises'
import { endianness } from 'node:os'
import { isAllWithin, NO_ROOT } from './data-pages.ts'

/** Offsets in a meta page of LMDB data format 2, 64 bit (`MDB_meta` behind a page header of 24 bytes). */
const MAGIC_AT = 24
const PAGE_SIZE_AT = 48
const ROOTS_AT = [88, 136] as const
const LAST_PAGE_AT = 144
const TRANSACTION_AT = 152
const META_BYTES = 160

const MAGIC_AND_FORMAT = Buffer.from('dec0efbe02000000', 'hex')
const LAYOUT_IS_KNOWN =
  endianness() === 'LE' && !['arm', 'ia32', 'mips', 'mipsel', 'ppc'].includes(process.arch)

/** True for a file that LMDB can open: an empty one, or one that has all pages that its newest meta page leads to. */
export async function isWholeDataFile(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    if (!LAYOUT_IS_KNOWN || (await file.stat()).size === 0) return true
    const first = Buffer.alloc(META_BYTES)
    const second = Buffer.alloc(META_BYTES)
    await file.read(first, 0, META_BYTES, 0)
    await file.read(second, 0, META_BYTES, first.readUInt32LE(PAGE_SIZE_AT))
    if (!hasMagic(first) || !hasMagic(second)) return false
    const { roots, lastPage, pageBytes } = newestOf(first, second)
    if (!isPageSize(pageBytes) || roots.some((root) => root !== NO_ROOT && root > lastPage)) return false
    // The size last: a process that is writing lets the file grow before a meta page says so.
    const pages = Math.floor((await file.stat()).size / pageBytes)
    // It may be shorter than it says: pages at its end that were taken and freed in one transaction are never written.
    return lastPage < BigInt(pages) || (await isAllWithin(roots, { file, pageBytes, pages }))
  } finally {
    await file.close()
  }
}

function newestOf(first: Buffer, second: Buffer) {
  const newest = transaction(first) > transaction(second) ? first : second
  return {
    pageBytes: newest.readUInt32LE(PAGE_SIZE_AT) || first.readUInt32LE(PAGE_SIZE_AT),
    lastPage: newest.readBigUInt64LE(LAST_PAGE_AT),
    roots: ROOTS_AT.map((at) => newest.readBigUInt64LE(at)),
  }
}

/** Of LMDB: powers of two up to 64 KiB. */
const isPageSize = (bytes: number) => [12, 13, 14, 15, 16].includes(Math.log2(bytes))

function hasMagic(meta: Buffer): boolean {
  return meta.subarray(MAGIC_AT, MAGIC_AT + MAGIC_AND_FORMAT.length).equals(MAGIC_AND_FORMAT)
}

function transaction(meta: Buffer): bigint {
  return meta.readBigUInt64LE(TRANSACTION_AT)
}
