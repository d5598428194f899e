// What oidc-provider has to remember, in one Map per server: two demos in one process share nothing.
export function createMemoryAdapter() {
  const records = new Map()

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
        const expiresAt = expiresIn === undefined ? Number.POSITIVE_INFINITY : Date.now() + expiresIn * 1000
        records.set(name(id), { payload, expiresAt })
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
      },
      async destroy(id) {
        records.delete(name(id))
      },
      async revokeByGrantId(grantId) {
        for (const [key, { payload }] of records) if (payload.grantId === grantId) records.delete(key)
      },
    }
  }
}
