// What a preset is: the facts about one provider, as its file in presets/ states them. Reads one file per name, nothing else.
import { readdirSync, readFileSync } from 'node:fs'
import { parse } from 'yaml'

/** Something only the operator knows: `{tenant}` in the preset's texts. */
export interface PresetParameter {
  readonly description: string
  readonly example: string
  /** What a value has to look like where it is written out. */
  readonly pattern?: string
  readonly default?: string
}

/** What the file says where it speaks about an authorization server or a route's `auth`, in the file's own words. */
type Defaults = Readonly<Record<string, string | Readonly<Record<string, string>>>>

export interface PresetFact {
  readonly about: readonly string[]
  readonly source?: string
  readonly verified?: false
  readonly note?: string
}

export interface PresetQuirks {
  /** Whether the gateway can register itself: never, always, or where an administrator allows it. */
  readonly registration: 'none' | 'dynamic' | 'conditional'
  readonly [quirk: string]: string
}

export interface Preset {
  readonly name: string
  readonly title: string
  /** The provider's public MCP server, if there is one. */
  readonly upstream?: string
  readonly parameters?: Readonly<Record<string, PresetParameter>>
  readonly authorization_server?: Defaults
  readonly auth?: Defaults
  /** What the operator does at the provider, in order. `{callback}` stands for the redirect URI. */
  readonly setup: readonly string[]
  readonly quirks: PresetQuirks
  readonly facts: readonly PresetFact[]
}

const folder = new URL('../../../presets/', import.meta.url)
const SUFFIX = '.yaml'
const loaded = new Map<string, Preset>()

export function presetNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort()
}

/** Undefined when there is none of this name. Nothing but a name becomes a path. */
export function loadPreset(name: string): Preset | undefined {
  const known = loaded.get(name)
  if (known || !presetNames().includes(name)) return known
  const preset = parse(readFileSync(new URL(name + SUFFIX, folder), 'utf8')) as Preset
  loaded.set(name, preset)
  return preset
}

/** `{tenant}` in a text, by name; `${…}` is a variable, not one of these. */
export function fillPlaceholders(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(PLACEHOLDER, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? whole) : whole,
  )
}

export function placeholdersIn(text: string): string[] {
  return Array.from(text.matchAll(PLACEHOLDER), ([, name = '']) => name)
}

const PLACEHOLDER = /(?<!\$)\{([a-z_]+)\}/g
