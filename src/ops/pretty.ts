// Log lines for people: time, event, fields. Colours only where the output is a terminal.
import { styleText } from 'node:util'
import { printable } from '../printable.ts'

type Style = Parameters<typeof styleText>[0]

const STYLES: Readonly<Record<string, Style>> = { debug: 'dim', info: 'green', warn: 'yellow', error: 'red' }

export function prettyStream(output: NodeJS.WriteStream): { write(line: string): void } {
  const paint = (style: Style, text: string) =>
    output.isTTY === true && !process.env.NO_COLOR ? styleText(style, text) : text
  return {
    write(line) {
      const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>
      const clock = String(time).slice(11, 19)
      const details = Object.entries(fields).map(
        ([name, value]) => `${paint('dim', `${name}=`)}${plain(value)}`,
      )
      output.write(
        `${[paint('dim', clock), paint(STYLES[String(level)] ?? 'reset', plain(msg)), ...details].join('  ')}\n`,
      )
    },
  }
}

function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  // Several problems come one per line; a log line stays one.
  return printable(text.replaceAll('\n', '; '))
}
