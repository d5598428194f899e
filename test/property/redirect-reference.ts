// Which redirect URIs a request may use, told a second time: equal as strings, or http on one of three hosts with
// nothing different but the port (RFC 8252 §7.3). Character by character, without a URL parser.
const LOOPBACKS = ['http://localhost', 'http://127.0.0.1', 'http://[::1]']
const DIGITS = '0123456789'

export const mayUse = (registered: readonly string[], requested: string): boolean =>
  registered.some((uri) => uri === requested || differsInPortAlone(uri, requested))

function differsInPortAlone(registered: string, requested: string): boolean {
  return LOOPBACKS.some((start) => {
    const [own, asked] = [afterPort(registered, start), afterPort(requested, start)]
    return own !== undefined && own === asked
  })
}

/** What follows host and port, when that is all there is before it. */
function afterPort(uri: string, start: string): string | undefined {
  if (uri.slice(0, start.length) !== start) return undefined
  let rest = uri.slice(start.length)
  if (rest[0] === ':') {
    let port = ''
    for (rest = rest.slice(1); rest !== '' && DIGITS.includes(rest.charAt(0)); rest = rest.slice(1)) {
      port += rest.charAt(0)
    }
    if (port === '' || port[0] === '0' || port.length > 5 || Number(port) > 65535) return undefined
  }
  return rest === '' || rest[0] === '/' || rest[0] === '?' ? rest : undefined
}
