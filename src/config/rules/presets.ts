// Rules about presets that need the whole entry: a client where the provider registers none, parameters of nothing.
import { loadPreset } from '../presets/preset.ts'
import { type Rule, serversOf } from './rule.ts'

const clientNeeded: Rule = {
  id: 'preset/client',
  severity: 'error',
  *check(facts) {
    for (const { pointer, server } of serversOf(facts)) {
      const preset = server.preset === undefined ? undefined : loadPreset(server.preset)
      if (preset?.quirks.registration !== 'none') continue
      if (facts.names(pointer).includes('client_id')) continue
      yield {
        pointer: `${pointer}/client_id`,
        at: 'key',
        message: 'is missing',
        hint: `${preset.title} registers no clients by itself; \`mcp-oauth-gateway presets ${preset.name}\` says where to create one.`,
      }
    }
  },
}

const strayParameters: Rule = {
  id: 'preset/parameters',
  severity: 'error',
  *check(facts) {
    for (const { pointer } of serversOf(facts)) {
      const written = facts.names(pointer)
      if (!written.includes('preset_parameters') || written.includes('preset')) continue
      yield {
        pointer: `${pointer}/preset_parameters`,
        at: 'key',
        message: 'belongs to a preset, and none is named',
        hint: 'Add preset, or remove it.',
      }
    }
  },
}

export const presetRules = [clientNeeded, strayParameters]
