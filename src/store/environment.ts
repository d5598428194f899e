// Opens the LMDB environment of the embedded store: private folder, whole data file, known format. No records here.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Database, open, type RootDatabase } from 'lmdb'
import { messageOf } from '../message-of.ts'
import { isWholeDataFile } from './data-file.ts'
import { assertPrivate, makePrivateFolder, touchPrivateFile } from './private-files.ts'

/** Bumped when keys, rows or the framing of records change in a way older code cannot read. */
const STORE_FORMAT = 1

export interface Environment {
  /** Key → JSON of the record, with LMDB's own version per key. */
  readonly records: Database<string, string>
  /** Where to find keys again: one empty value per index row and per expiry row. */
  readonly rows: Database<string, string>
  close(): Promise<void>
}

/** Makes the folder and its files, or checks those that are there. Tells whether the store is new. */
export async function prepareFolder(folder: string): Promise<boolean> {
  await makePrivateFolder(folder)
  await assertPrivate(folder)
  const dataFile = join(folder, 'data.mdb')
  // LMDB would make these 0664.
  for (const path of [dataFile, join(folder, 'lock.mdb')]) {
    await touchPrivateFile(path)
    await assertPrivate(path)
  }
  // Another process may be in the middle of making it, or of changing what is read.
  for (let tries = 1; !(await isWholeDataFile(dataFile)); tries += 1) {
    if (tries === 5) throw damaged(folder)
    await delay(50)
  }
  return (await stat(dataFile)).size === 0
}

/** Expects a folder that `prepareFolder` has seen. */
export async function openEnvironment(folder: string): Promise<Environment> {
  const root = openRoot(folder)
  try {
    const meta = root.openDB<string, string>('meta', { encoding: 'string' })
    assertFormat(folder, meta.get('format') ?? (await writeFormat(meta)))
    return {
      records: root.openDB<string, string>('records', { encoding: 'string', useVersions: true }),
      rows: root.openDB<string, string>('rows', { encoding: 'string' }),
      close: () => root.close(),
    }
  } catch (error) {
    await root.close()
    throw error
  }
}

function openRoot(folder: string): RootDatabase {
  try {
    return open({
      path: folder,
      // Otherwise a folder with a dot in its name is taken for a file.
      noSubdir: false,
      // Otherwise other processes see a commit before it is flushed, and after a failed one `close` never returns.
      // Batched commits are as fast without it.
      overlappingSync: false,
      maxDbs: 3,
    })
  } catch (error) {
    throw new Error(`cannot open the store in ${folder}: ${messageOf(error)}`)
  }
}

function assertFormat(folder: string, found: string): void {
  if (found === String(STORE_FORMAT)) return
  if (!/^\d+$/.test(found)) throw damaged(folder)
  throw new Error(
    `${folder} has store format ${found}, this version knows format ${STORE_FORMAT}: ` +
      'run the version that wrote it, or set another store.path',
  )
}

async function writeFormat(meta: Database<string, string>): Promise<string> {
  await meta.put('format', String(STORE_FORMAT))
  return String(STORE_FORMAT)
}

function damaged(folder: string): Error {
  return new Error(
    `${folder} is damaged: restore it from a backup, or move it away to start empty (everybody then signs in again)`,
  )
}
