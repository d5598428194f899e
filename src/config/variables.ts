// Which environment variables and files a configuration refers to. Looks at the raw tree only.
import { splitText } from './expand.ts'

export interface Variable {
  readonly name: string
  readonly kind: 'env' | 'file'
  /** Whether some reference to it has no default. */
  readonly required: boolean
}

export function variablesIn(tree: unknown): Variable[] {
  const found = new Map<string, Variable>()
  for (const text of textsIn(tree)) {
    for (const piece of splitText(text)) {
      const variable = describe(piece)
      if (!variable) continue
      const key = `${variable.kind} ${variable.name}`
      found.set(key, { ...variable, required: variable.required || found.get(key)?.required === true })
    }
  }
  return [...found.values()]
}

function describe(piece: ReturnType<typeof splitText>[number]): Variable | undefined {
  if (piece.kind === 'env') return { name: piece.name, kind: 'env', required: piece.fallback === undefined }
  return piece.kind === 'file' ? { name: piece.path, kind: 'file', required: true } : undefined
}

function* textsIn(value: unknown): Iterable<string> {
  if (typeof value === 'string') yield value
  else if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(value)) yield* textsIn(inner)
}
