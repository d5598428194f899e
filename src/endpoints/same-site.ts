// Whether a form was sent by a page of this gateway, as far as the browser says.
import { PageError } from '../errors.ts'
import type { Gateway } from '../gateway.ts'
import type { EndpointRequest } from './endpoint.ts'

/** `null` and absent decide nothing: privacy tools send both. The cookie-bound token decides then (design §6.11). */
export function checkSameSite({ headers }: EndpointRequest, gateway: Gateway): void {
  const { origin } = headers
  const site = headers['sec-fetch-site']
  const foreignOrigin = origin !== undefined && origin !== 'null' && origin !== gateway.issuer
  if (foreignOrigin || site === 'cross-site' || site === 'same-site') {
    throw new PageError(
      403,
      'This form came from another site',
      'Go back to your client and connect again.',
      { reason: 'cross_site' },
    )
  }
}
