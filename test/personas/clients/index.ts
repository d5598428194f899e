// All personas: a new client is one more entry.
import type { Persona } from '../persona.ts'
import { chatgpt } from './chatgpt.ts'
import { claude } from './claude.ts'
import { claudeCode } from './claude-code.ts'
import { codex } from './codex.ts'
import { cursor } from './cursor.ts'
import { inspector } from './inspector.ts'
import { legacy } from './legacy.ts'
import { mcpRemote } from './mcp-remote.ts'
import { sdks } from './sdks.ts'
import { vscode } from './vscode.ts'

export const PERSONAS: readonly Persona[] = [
  claude,
  claudeCode,
  cursor,
  vscode,
  chatgpt,
  codex,
  inspector,
  mcpRemote,
  sdks,
  legacy,
].flat()
