// Durations and sizes as a file writes them: the way back from what `convert.ts` reads. Pure.

const MS: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]
const BYTES: readonly (readonly [unit: string, bytes: number])[] = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
]

export function durationText(ms: number): string {
  let rest = ms
  const parts = MS.map(([unit, size]) => {
    const count = Math.floor(rest / size)
    rest -= count * size
    return count === 0 ? '' : `${count}${unit}`
  })
  return parts.join('') || '0s'
}

export function sizeText(bytes: number): string {
  const [unit, size] = BYTES.find(([, one]) => bytes >= one && bytes % one === 0) ?? ['B', 1]
  return `${bytes / size}${unit}`
}
