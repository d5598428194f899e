// From the config's `store` to a store and the sealer for what lies in it. Drivers are one line of a table each.
import { keyringFrom, loadOrCreateKeyFile, randomKeyring } from './keyring.ts'
import { memoryStore } from './memory.ts'
import { createSealer, type Sealer } from './seal.ts'
import type { StatePaths } from './state-folder.ts'
import type { Store } from './store.ts'

/** `path` is for the caller, who turns it into StatePaths. */
export interface StoreConfig {
  readonly type: 'embedded' | 'memory'
  readonly path?: string
  readonly keys?: readonly string[]
}

export interface OpenedStore {
  readonly store: Store
  readonly sealer: Sealer
}

type Paths = Pick<StatePaths, 'store' | 'key'>

const drivers = {
  embedded: {
    ownKeyring: (paths: Paths) => loadOrCreateKeyFile(paths.key),
    // Imported on demand: LMDB is native code, and what needs no disk should run without it.
    open: async (paths: Paths, now: () => number) =>
      (await import('./embedded.ts')).openEmbeddedStore(paths.store, now),
  },
  memory: {
    ownKeyring: async () => randomKeyring(),
    open: async (_paths: Paths, now: () => number) => memoryStore(now),
  },
}

export async function openStore(config: StoreConfig, paths: Paths, now: () => number): Promise<OpenedStore> {
  const driver = drivers[config.type]
  // The key first: without it nothing in the store opens, so a wrong one must be told before anything is made.
  const keyring = config.keys === undefined ? await driver.ownKeyring(paths) : keyringFrom(config.keys)
  return { sealer: createSealer(keyring), store: await driver.open(paths, now) }
}
