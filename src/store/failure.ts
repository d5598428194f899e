// Its own file, so that whoever must recognise a failed store does not load a driver.

/** A commit failed, so what the disk holds is not known. Reads go on, every write is refused until a restart. */
export class StoreFailure extends Error {
  constructor(reason: string) {
    super(`the store cannot write any more and needs a restart: ${reason}`)
    this.name = 'StoreFailure'
  }
}
