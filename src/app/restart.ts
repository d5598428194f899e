// Settings that are read once, at the start; the rest of the file takes effect all the same.
import type { Config } from '../config/types.ts'

const RESTART: { readonly [setting: string]: (config: Config) => unknown } = {
  'server.host': ({ server }) => server.host,
  'server.port': ({ server }) => server.port,
  'server.tls.cert': ({ server }) => server.tls?.cert,
  'server.tls.key': ({ server }) => server.tls?.key,
  'egress.proxy': ({ egress }) => egress.proxy,
  'egress.proxy_authorization': ({ egress }) => egress.proxy_authorization,
  'egress.direct': ({ egress }) => egress.direct,
  'store.type': ({ store }) => store.type,
  'store.path': storePath,
  'store.keys': ({ store }) => store.keys,
  'observability.log.format': ({ observability }) => observability.log.format,
}

/** Those that were edited and wait. */
export function restartSettings(running: Config, next: Config): string[] {
  const differs = (read: (config: Config) => unknown) =>
    JSON.stringify(read(running)) !== JSON.stringify(read(next))
  return Object.entries(RESTART).flatMap(([setting, read]) => (differs(read) ? [setting] : []))
}

export function storePath({ store }: Config): string | undefined {
  return store.type === 'embedded' ? store.path : undefined
}
