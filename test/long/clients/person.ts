// The person of a client program: opens the authorization URL that the program prints, goes through the screens, and is
// sent back to the port on which the program listens.
import type { Readable } from 'node:stream'
import type { Scene } from '../../personas/scene.ts'
import { Browser } from '../../support/browser.ts'
import { type Person, signIn } from '../../support/person.ts'

export interface Watching {
  /** How often a URL was opened. */
  visits(): number
  /** Everything the program said. */
  heard(): string
  /** Settles when the visits have ended; rejects if one failed. */
  done(): Promise<void>
}

export function watch(streams: readonly (Readable | null)[], scene: Scene, person: Person): Watching {
  const opened = new Set<string>()
  const visits: Promise<void>[] = []
  let heard = ''
  const pattern = new RegExp(`${scene.gateway.url}/authorize\\?[^\\s"'<>]+(?=\\s|")`, 'g')
  const read = (chunk: string) => {
    heard += chunk
    for (const [url] of heard.matchAll(pattern)) {
      if (opened.has(url)) continue
      opened.add(url)
      const visit = open(url, person)
      visit.catch(() => undefined)
      visits.push(visit)
    }
  }
  for (const stream of streams) stream?.setEncoding('utf8').on('data', read)
  return {
    visits: () => visits.length,
    heard: () => heard,
    done: async () => {
      await Promise.all(visits)
    },
  }
}

async function open(url: string, person: Person): Promise<void> {
  const redirectUri = new URL(url).searchParams.get('redirect_uri') ?? ''
  const { callback } = await signIn(new Browser({ stopAt: [redirectUri] }), url, person)
  const answer = await fetch(callback)
  if (!answer.ok) throw new Error(`the client answered its callback with ${answer.status}`)
}
