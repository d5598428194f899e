// docs/rules.md as text: the table of rules as people read it.
import { ruleGroups } from './rule-docs.ts'
import { rules } from './rules/index.ts'

export function rulePage(): string {
  const warnings = new Set(rules.filter(({ severity }) => severity === 'warning').map(({ id }) => id))
  const groups = ruleGroups.map(({ title, rules }) => {
    const entries = Object.entries(rules).map(([id, { summary, why }]) => {
      const severity = warnings.has(id) ? ' *Warning.*' : ''
      return `### ${id}\n\n${summary}${severity} ${why}\n`
    })
    return `## ${title}\n\n${entries.join('\n')}`
  })
  return `${HEAD}\n${groups.join('\n')}`
}

const HEAD = `<!-- GENERATED from src/config/rule-docs.ts by \`npm run generate\`. Do not edit. -->

# Rules

What \`mcp-oauth-gateway validate\`, \`serve\` and every reload check. The id in brackets behind a problem leads here. All are errors unless marked: a file with an error is refused as a whole, a warning is shown (with \`validate --strict\` it counts as an error).

\`validate --format json\` prints \`{"formatVersion": "1.0", "files": [...], "problems": [...], "notes": [...]}\`. Each problem has \`rule\`, \`severity\`, \`file\`, \`start\` and \`end\` (\`line\`, \`column\`, \`offset\`, the first two counted from 1), \`pointer\` (RFC 6901), \`path\`, \`message\`, \`hint\`, \`docs\` and, where one edit is certainly what was meant, \`fix\` with \`range\`, \`text\` and \`title\`. Within 1.x members are added, never changed or removed. Notes are no problems: they say what is left to do elsewhere, such as the redirect URI to register.
`
