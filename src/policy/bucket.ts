// A token bucket: so many at once, so many a second afterwards. One for everybody where an address says little, since
// hosted clients share theirs and a flood has many (sec-R2); one for each where people are known.

export interface Bucket {
  /** `empty_now`: the first refusal since something was taken, for the log; the others are `empty`. */
  take(): Taken
}

export interface Buckets {
  take(owner: string): Taken
}

export type Taken = 'taken' | 'empty_now' | 'empty'

export interface BucketOptions {
  readonly size: number
  readonly perSecond: number
  readonly now: () => number
}

export function createBucket({ size, perSecond, now }: BucketOptions): Bucket {
  let level = size
  let filledAtMs = now()
  let isEmpty = false
  return {
    take() {
      const elapsedMs = Math.max(0, now() - filledAtMs)
      filledAtMs = now()
      level = Math.min(size, level + (elapsedMs * perSecond) / 1000)
      if (level >= 1) {
        level -= 1
        isEmpty = false
        return 'taken'
      }
      const result = isEmpty ? 'empty' : 'empty_now'
      isEmpty = true
      return result
    },
  }
}

/** `most`: how many owners are remembered. */
export function createBuckets({ most, ...options }: BucketOptions & { readonly most: number }): Buckets {
  // Insertion order is age: who has not tried for longest goes first.
  const buckets = new Map<string, Bucket>()
  return {
    take(owner) {
      const bucket = buckets.get(owner) ?? createBucket(options)
      buckets.delete(owner)
      buckets.set(owner, bucket)
      const [oldest] = buckets.keys()
      if (buckets.size > most && oldest !== undefined) buckets.delete(oldest)
      return bucket.take()
    },
  }
}
