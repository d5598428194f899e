// How often a person may have a pasted key checked: whoever is signed in must not find other people's keys by guessing.
import { createBuckets } from '../policy/bucket.ts'
import type { Subject } from '../slots.ts'

const AN_HOUR = 20
const MAX_SUBJECTS = 10_000

export interface KeyAttempts {
  /** False: that person has to wait. */
  take(subject: Subject): boolean
}

/** In memory: across sign-ins and generations. */
export function createKeyAttempts(now: () => number): KeyAttempts {
  const attempts = createBuckets({ size: AN_HOUR, perSecond: AN_HOUR / 3600, most: MAX_SUBJECTS, now })
  return { take: (subject) => attempts.take(subject) === 'taken' }
}
