// The table of endpoints. Everything else is a well-known document, a route, or not there.
import { KEY_SET_PATH } from '../oauth/own-address.ts'
import { authorize } from './authorize.ts'
import { callback } from './callback.ts'
import { clientDocument } from './client-document.ts'
import { consent, login } from './consent.ts'
import type { Endpoint } from './endpoint.ts'
import { introspect } from './introspect.ts'
import { keySet } from './key-set.ts'
import { register } from './register.ts'
import { revoke } from './revoke.ts'
import { token } from './token.ts'
import { keyForm, keySubmission } from './user-key.ts'

export const ENDPOINTS: readonly Endpoint[] = [
  { method: 'GET', path: '/authorize', audience: 'browser', handle: authorize },
  { method: 'POST', path: '/login', audience: 'browser', handle: login },
  { method: 'POST', path: '/consent', audience: 'browser', handle: consent },
  { method: 'GET', path: '/upstream/callback', audience: 'browser', handle: callback },
  { method: 'GET', path: '/upstream/callback/:id', audience: 'browser', handle: callback },
  { method: 'GET', path: '/upstream/key/:route', audience: 'browser', handle: keyForm },
  { method: 'POST', path: '/upstream/key/:route', audience: 'browser', handle: keySubmission },
  { method: 'GET', path: KEY_SET_PATH, audience: 'client', handle: keySet },
  { method: 'GET', path: '/.well-known/oauth-client/:id', audience: 'client', handle: clientDocument },
  { method: 'POST', path: '/register', audience: 'client', handle: register },
  { method: 'POST', path: '/token', audience: 'client', handle: token },
  { method: 'POST', path: '/revoke', audience: 'client', handle: revoke },
  { method: 'POST', path: '/introspect', audience: 'client', handle: introspect },
]
