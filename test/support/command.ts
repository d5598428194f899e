// The gateway's command line as tests start it: what `npm run build` made, while that is newer than every source file
// (it starts in a fifth of the time), else the source itself.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Arguments for `node`, before those of the command. */
export const gatewayCommand: readonly string[] = isBuilt()
  ? [join(root, 'dist/index.js')]
  : ['--import', import.meta.resolve('tsx'), join(root, 'src/index.ts')]

function isBuilt(): boolean {
  const built = statSync(join(root, 'dist/index.js'), { throwIfNoEntry: false })?.mtimeMs ?? 0
  return ['src', 'schema'].every((folder) => newest(join(root, folder)) <= built)
}

function newest(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const isSource = (name: string) => /\.(ts|mjs|json)$/.test(name) && !name.endsWith('.generated.ts')
  return Math.max(...entries.filter(isSource).map((name) => statSync(join(folder, name)).mtimeMs))
}
