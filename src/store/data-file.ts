// Judges an LMDB data file before it is opened, because opening a foreign or cut-off file does not fail: it ends the
// process (SIGSEGV on garbage, SIGBUS behind the end of the file). Reads only the two meta pages.
import { open } from 'node:fs/promises'
import { endianness } from 'node:os'

/** Offsets in a meta page of LMDB data format 2, 64 bit (`MDB_meta` behind a page header of 24 bytes). */
const MAGIC_AT = 24
const PAGE_SIZE_AT = 48
const ROOTS_AT = [88, 136] as const
const LAST_PAGE_AT = 144
const TRANSACTION_AT = 152
const META_BYTES = 160

const MAGIC_AND_FORMAT = Buffer.from('dec0efbe02000000', 'hex')
const NO_ROOT = 2n ** 64n - 1n
const LAYOUT_IS_KNOWN =
  endianness() === 'LE' && !['arm', 'ia32', 'mips', 'mipsel', 'ppc'].includes(process.arch)

/** True for a file that LMDB can open: an empty one, or one whose newest meta page lies wholly within the file. */
export async function isWholeDataFile(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    if (!LAYOUT_IS_KNOWN || (await file.stat()).size === 0) return true
    const first = Buffer.alloc(META_BYTES)
    const second = Buffer.alloc(META_BYTES)
    await file.read(first, 0, META_BYTES, 0)
    await file.read(second, 0, META_BYTES, first.readUInt32LE(PAGE_SIZE_AT))
    // The size last: a process that is writing lets the file grow before a meta page says so.
    return areSoundMetaPages(first, second, (await file.stat()).size)
  } finally {
    await file.close()
  }
}

function areSoundMetaPages(first: Buffer, second: Buffer, fileBytes: number): boolean {
  if (!hasMagic(first) || !hasMagic(second)) return false
  const newest = transaction(first) > transaction(second) ? first : second
  const pageBytes = BigInt(newest.readUInt32LE(PAGE_SIZE_AT) || first.readUInt32LE(PAGE_SIZE_AT))
  const lastPage = newest.readBigUInt64LE(LAST_PAGE_AT)
  const roots = ROOTS_AT.map((at) => newest.readBigUInt64LE(at))
  // A database without records has its meta pages only, and these name pages that were never written.
  const isEmpty = roots.every((root) => root === NO_ROOT)
  const rootsExist = roots.every((root) => root === NO_ROOT || root <= lastPage)
  return rootsExist && (isEmpty || (lastPage + 1n) * pageBytes <= BigInt(fileBytes))
}

function hasMagic(meta: Buffer): boolean {
  return meta.subarray(MAGIC_AT, MAGIC_AT + MAGIC_AND_FORMAT.length).equals(MAGIC_AND_FORMAT)
}

function transaction(meta: Buffer): bigint {
  return meta.readBigUInt64LE(TRANSACTION_AT)
}
