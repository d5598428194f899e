// Adds a bearer token to every request on its way to the gateway, because the suite's server scenarios cannot sign
// in. It changes nothing else: Host, Origin and the streams pass as they come.
import { request as httpRequest } from 'node:http'
import { type Listening, listen } from '../support/http.ts'

export function addBearer(origin: string, token: string): Promise<Listening> {
  const { hostname, port } = new URL(origin)
  return listen((request, response) => {
    const headers = [...request.rawHeaders, 'Authorization', `Bearer ${token}`]
    const { method = '', url = '' } = request
    const onward = httpRequest({ hostname, port, method, path: url, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.rawHeaders).flushHeaders()
      answer.pipe(response)
      answer.once('error', () => response.destroy())
    })
    onward.once('error', () => response.destroy())
    response.once('close', () => onward.destroy())
    request.pipe(onward)
  })
}
