// What oidc-provider has to remember, in one Map per server: two demos in one process share nothing. With a file it
// outlives a restart, as the gateway's registration there does.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

export function createMemoryAdapter(file) {
  const records = new Map(file && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [])

  const save = () => {
    if (!file) return
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, JSON.stringify([...records]), { mode: 0o600 })
  }

  const read = (key) => {
    const record = records.get(key)
    if (record && record.expiresAt <= Date.now()) records.delete(key)
    return records.get(key)?.payload
  }
  const find = (matches) => {
    for (const key of records.keys()) {
      const payload = read(key)
      if (payload && matches(key, payload)) return payload
    }
    return undefined
  }

  return (model) => {
    const name = (id) => `${model}:${id}`
    return {
      async upsert(id, payload, expiresIn) {
        const expiresAt = expiresIn === undefined ? Number.MAX_SAFE_INTEGER : Date.now() + expiresIn * 1000
        records.set(name(id), { payload, expiresAt })
        save()
      },
      async find(id) {
        return read(name(id))
      },
      async findByUid(uid) {
        return find((key, payload) => key.startsWith(`${model}:`) && payload.uid === uid)
      },
      async findByUserCode(userCode) {
        return find((key, payload) => key.startsWith(`${model}:`) && payload.userCode === userCode)
      },
      async consume(id) {
        const payload = read(name(id))
        if (payload) payload.consumed = Math.floor(Date.now() / 1000)
        save()
      },
      async destroy(id) {
        records.delete(name(id))
        save()
      },
      async revokeByGrantId(grantId) {
        for (const [key, { payload }] of records) if (payload.grantId === grantId) records.delete(key)
        save()
      },
    }
  }
}
