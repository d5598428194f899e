// The formats by name. Each is loaded only when it is asked for: `validate` has to start fast.
import type { Report } from './report.ts'

export type Format = 'pretty' | 'line' | 'json' | 'sarif' | 'github' | 'junit'

export const reports: Readonly<Record<Format, () => Promise<Report>>> = {
  pretty: async () => (await import('./pretty.ts')).prettyReport,
  line: async () => (await import('./line.ts')).lineReport,
  json: async () => (await import('./json.ts')).jsonReport,
  sarif: async () => (await import('./sarif.ts')).sarifReport,
  github: async () => (await import('./github.ts')).githubReport,
  junit: async () => (await import('./junit.ts')).junitReport,
}

export function isFormat(name: string): name is Format {
  return Object.hasOwn(reports, name)
}
