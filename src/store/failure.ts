// Its own file, so that whoever must recognise a failed store does not load a driver.
import { UnavailableError } from '../errors.ts'

const RETRY_SECONDS = 30

/** A commit failed, so what the disk holds is not known. Reads go on, every write is refused until a restart. */
export class StoreFailure extends UnavailableError {
  override readonly name = 'StoreFailure'

  constructor(reason: string) {
    super('the store cannot write any more and needs a restart', { reason }, RETRY_SECONDS)
  }
}
