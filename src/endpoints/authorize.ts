// GET /authorize: judges an authorization request and shows screen 1. Nothing is decided here without a person.
import { errorFields, OAuthError, PageError } from '../errors.ts'
import type { Gateway, Route } from '../gateway.ts'
import type { Client } from '../oauth/client.ts'
import { type Parameters, parseParameters, required } from '../oauth/parameters.ts'
import { checkChallenge } from '../oauth/pkce.ts'
import { checkRedirectUri, redirectLocation, type VerifiedRedirect } from '../oauth/redirect-uri.ts'
import { offered, parseScope, remembered } from '../oauth/scope.ts'
import { PAGE_HEADERS } from '../pages/layout.ts'
import { pickerPage } from '../pages/picker.ts'
import { htmlReply, type Reply, redirectReply } from '../reply.ts'
import { bindCookies } from './browser-binding.ts'
import { findClient } from './clients.ts'
import { consentReply } from './consent-reply.ts'
import type { Deps, EndpointRequest, Handle } from './endpoint.ts'
import { ownRoutes, requestedRoute } from './requested-route.ts'
import { currentSession } from './sessions.ts'
import { startTransaction } from './transactions.ts'

export const authorize: Handle = async (request, gateway, deps) => {
  // Until client and redirect_uri are verified every error is a page: an error redirect to an unverified address is an
  // open redirect (sec-A1; CVE-2026-41479).
  const parameters = parseParameters(request.query)
  const client = await knownClient(required(parameters, 'client_id'), gateway, deps)
  const redirect = checkRedirectUri(client.redirectUris, parameters.get('redirect_uri'))
  try {
    if (!client.grantTypes.includes('authorization_code'))
      throw new OAuthError('unauthorized_client', 'nobody signs in for this client')
    const asked = checkRequest(parameters, gateway)
    if (asked.route === undefined) return picker(request, gateway)
    return await showConsent(request, gateway, deps, {
      client,
      redirect,
      parameters,
      ...asked,
      route: asked.route,
    })
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    const resource = parameters.get('resource')
    deps.log.info('authorization refused', { client: client.name, resource, ...errorFields(error) })
    return redirectError(redirect, parameters.get('state'), gateway.issuer, error)
  }
}

/** The client, or a page for the person whom it sent here. */
export async function knownClient(clientId: string, gateway: Gateway, deps: Deps): Promise<Client> {
  const client = await findClient(clientId, gateway, deps).catch(documentError)
  if (client !== undefined) return client
  throw new PageError(
    400,
    'This client is not known here',
    'The client uses a registration that this gateway did not make, or made under another key. Remove the server from your client and add it again, so that it registers anew.',
    { reason: 'unknown_client' },
  )
}

/** Whatever is wrong with a client's document, the person can do the same about it (sec-F6: one page for all causes). */
function documentError(error: unknown): never {
  if (!(error instanceof OAuthError)) throw error
  throw new PageError(
    400,
    'This client cannot be verified',
    'The address that the client gives as its identity does not hold a usable description of it. Tell its developer, or use another client.',
    { reason: error.message, ...error.detail },
  )
}

interface Asked {
  readonly codeChallenge: string
  /** Undefined: the client did not say, and there are several. */
  readonly route: Route | undefined
}

function checkRequest(parameters: Parameters, gateway: Gateway): Asked {
  // RFC 9101 request objects would let whoever serves `request_uri` choose what is checked (sec-A6).
  if (parameters.has('request'))
    throw new OAuthError('request_not_supported', 'request objects are not supported')
  if (parameters.has('request_uri'))
    throw new OAuthError('request_uri_not_supported', 'request_uri is not supported')
  if (required(parameters, 'response_type') !== 'code') {
    throw new OAuthError('unsupported_response_type', 'response_type must be code')
  }
  if ((parameters.get('response_mode') ?? 'query') !== 'query') {
    throw new OAuthError('invalid_request', 'response_mode must be query')
  }
  return { codeChallenge: checkChallenge(parameters), route: requestedRoute(parameters, gateway) }
}

// The person's choice is the same request once more, with the resource filled in.
function picker(request: EndpointRequest, gateway: Gateway): Reply {
  const choices = ownRoutes(gateway).map(({ title, resource }) => {
    const query = new URLSearchParams(request.query)
    query.set('resource', resource)
    return { title, resource, href: `/authorize?${query}` }
  })
  return htmlReply(200, pickerPage(gateway.brand, choices), PAGE_HEADERS)
}

interface Accepted {
  readonly client: Client
  readonly redirect: VerifiedRedirect
  readonly parameters: Parameters
  readonly codeChallenge: string
  readonly route: Route
}

async function showConsent(
  request: EndpointRequest,
  gateway: Gateway,
  deps: Deps,
  accepted: Accepted,
): Promise<Reply> {
  const { client, redirect, parameters, codeChallenge, route } = accepted
  const session = await currentSession(request, gateway, deps)
  const bound = startTransaction(
    {
      clientId: client.id,
      clientName: client.name,
      clientHost: client.documentHost,
      redirectUri: redirect,
      state: parameters.get('state'),
      codeChallenge,
      route: route.name,
      scopes: offered(parameters.get('scope'), route.optionalScopes),
      wished: remembered([], parseScope(parameters.get('scope'))),
      upstreamUrl: route.upstream.url.href,
    },
    deps,
  )
  return consentReply(gateway, deps, {
    bound,
    route,
    session,
    cookies: bindCookies(bound, request, gateway, deps.now()),
  })
}

/** RFC 6749 §4.1.2.1 with the `iss` of RFC 9207. */
export function redirectError(
  redirect: VerifiedRedirect,
  state: string | undefined,
  issuer: string,
  error: OAuthError,
  cookies: readonly string[] = [],
): Reply {
  return redirectReply(
    redirectLocation(redirect, { error: error.code, error_description: error.message, state, iss: issuer }),
    cookies,
  )
}
