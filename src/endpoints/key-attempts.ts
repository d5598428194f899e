// How often a person may have a pasted key checked: whoever is signed in must not find other people's keys by guessing.
import { type Bucket, createBucket } from '../policy/bucket.ts'
import type { Subject } from '../slots.ts'

const AN_HOUR = 20
const MAX_SUBJECTS = 10_000

export interface KeyAttempts {
  /** False: that person has to wait. */
  take(subject: Subject): boolean
}

/** In memory: across sign-ins and generations. */
export function createKeyAttempts(now: () => number): KeyAttempts {
  // Insertion order is age: who has not tried for longest goes first.
  const buckets = new Map<Subject, Bucket>()
  return {
    take(subject) {
      const bucket = buckets.get(subject) ?? createBucket({ size: AN_HOUR, perSecond: AN_HOUR / 3600, now })
      buckets.delete(subject)
      buckets.set(subject, bucket)
      const [oldest] = buckets.keys()
      if (buckets.size > MAX_SUBJECTS && oldest !== undefined) buckets.delete(oldest)
      return bucket.take() === 'taken'
    },
  }
}
