// The demo's tools: who am I, a sum, and a countdown that streams.
import { setTimeout as delay } from 'node:timers/promises'

export const tools = [
  {
    name: 'whoami',
    description: 'Says who the demo authorization server thinks you are.',
    inputSchema: { type: 'object', properties: {} },
    call: (_input, { authInfo }) => `You are ${authInfo.extra.subject}, here through ${authInfo.clientId}.`,
  },
  {
    name: 'add',
    description: 'Adds two numbers.',
    inputSchema: {
      type: 'object',
      properties: { a: { type: 'number' }, b: { type: 'number' } },
      required: ['a', 'b'],
    },
    call: ({ a, b }) => String(Number(a) + Number(b)),
  },
  {
    name: 'countdown',
    description: 'Counts down, one step at a time, and reports its progress as it goes.',
    inputSchema: {
      type: 'object',
      properties: {
        from: { type: 'integer', minimum: 1, maximum: 60, default: 5 },
        interval_ms: { type: 'integer', minimum: 0, maximum: 5000, default: 1000 },
      },
    },
    call: countdown,
  },
]

async function countdown({ from = 5, interval_ms: intervalMs = 1000 }, { signal, sendNotification, _meta }) {
  const progressToken = _meta?.progressToken
  for (let step = 1; step <= from; step += 1) {
    await delay(intervalMs, undefined, { signal })
    if (progressToken === undefined) continue
    const params = { progressToken, progress: step, total: from, message: `${from - step}` }
    await sendNotification({ method: 'notifications/progress', params })
  }
  return 'Lift-off.'
}
