// The two discovery documents: protected resource metadata (RFC 9728) per route, authorization server metadata (RFC 8414) once. Pure.
import { type GrantType, JWT_BEARER } from './grant-types.ts'

const CLIENT_AUTH_METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const

/** Asymmetric only: a shared key would be a secret in a public document (RFC 8725 §3.1 for the allow-list). */
export const ASSERTION_ALGORITHMS = ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'] as const

export type ClientAuthMethod = (typeof CLIENT_AUTH_METHODS)[number]

export interface ResourceDescription {
  readonly resource: string
  readonly name: string
  readonly scopes: readonly string[]
}

/** One string, `issuer`, stands in all three places where clients compare it byte for byte (spec-D8). */
export function protectedResourceMetadata(issuer: string, route: ResourceDescription) {
  return {
    resource: route.resource,
    authorization_servers: [issuer],
    bearer_methods_supported: ['header'],
    resource_name: route.name,
    scopes_supported: route.scopes,
  }
}

export interface ServerFeatures {
  readonly registration: boolean
  readonly clientDocuments: boolean
  readonly grantTypes: readonly GrantType[]
}

/** By this clients of Enterprise-Managed Authorization know that their ID-JAGs are taken (EMA §6). */
const ID_JAG_PROFILE = 'urn:ietf:params:oauth:grant-profile:id-jag'

/** `scopes_supported` is left out on purpose: several clients ask for everything listed there. */
export function authorizationServerMetadata(issuer: string, features: ServerFeatures) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    // For whoever is handed a JWT that we signed about somebody.
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    ...(features.registration && { registration_endpoint: `${issuer}/register` }),
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: features.grantTypes,
    ...(features.grantTypes.includes(JWT_BEARER) && {
      authorization_grant_profiles_supported: [ID_JAG_PROFILE],
    }),
    token_endpoint_auth_methods_supported: CLIENT_AUTH_METHODS,
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    revocation_endpoint: `${issuer}/revoke`,
    revocation_endpoint_auth_methods_supported: CLIENT_AUTH_METHODS,
    revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    introspection_endpoint: `${issuer}/introspect`,
    introspection_endpoint_auth_methods_supported: CLIENT_AUTH_METHODS,
    introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: features.clientDocuments,
  }
}
