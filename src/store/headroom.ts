// Watches the free space of the store's disk. LMDB must not meet a full disk: lmdb-js 3.5 then writes its error text
// past the end of a 100-byte buffer (mdb_page_flush) and corrupts the heap of the process.
import { statfs } from 'node:fs/promises'

const LOOK_EVERY_MS = 1000

export interface Headroom {
  /** Throws when the disk had less than the minimum free at the last look. */
  assertRoom(): void
  stop(): void
}

export async function watchHeadroom(folder: string, minFreeBytes: number): Promise<Headroom> {
  let freeBytes = await freeBytesOf(folder)
  const look = setInterval(async () => {
    freeBytes = await freeBytesOf(folder)
  }, LOOK_EVERY_MS).unref()
  return {
    assertRoom() {
      if (freeBytes >= minFreeBytes) return
      const mebibytes = (bytes: number) => Math.floor(bytes / 2 ** 20)
      throw new Error(
        `the disk of ${folder} is nearly full: ${mebibytes(freeBytes)} MiB are free, new records need ${mebibytes(minFreeBytes)} MiB`,
      )
    },
    stop: () => clearInterval(look),
  }
}

/** Infinity where it cannot be told: then a full disk shows itself in the write. */
async function freeBytesOf(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
