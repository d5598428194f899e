// Reads application/x-www-form-urlencoded parameters, from a query or a body, the way RFC 6749 §3.1 wants them. Pure.
import { OAuthError } from '../errors.ts'

export type Parameters = ReadonlyMap<string, string>

/** A longer value is nobody's honest parameter; a client's `state` may be up to this long and comes back byte for byte. */
export const MAX_PARAMETER_LENGTH = 4096

/** An identity provider's assertion may list all groups of a person; the consent form carries a whole authorization request, sealed. */
const LONGER: Readonly<Record<string, number>> = { assertion: 8192, transaction: 49_152 }

/** What two different `resource` values become: RFC 8707 §2 allows them, but a grant here is for one, and no URL with a fragment is a resource. */
export const SEVERAL_RESOURCES = '#several'

/** Parameters sent without a value count as absent (RFC 6749 §3.1). Throws invalid_request on a repeated one: which of two values was checked, and which one used? */
export function parseParameters(text: string): Parameters {
  const parameters = new Map<string, string>()
  const seen = new Set<string>()
  for (const [name, value] of new URLSearchParams(text)) {
    const longest = Object.hasOwn(LONGER, name) ? LONGER[name] : undefined
    if (value.length > (longest ?? MAX_PARAMETER_LENGTH)) {
      throw new OAuthError('invalid_request', `parameter "${printable(name)}" is too long`)
    }
    if (name === 'resource' && seen.has(name)) {
      if (parameters.get(name) !== value) parameters.set(name, SEVERAL_RESOURCES)
      continue
    }
    if (seen.has(name)) {
      throw new OAuthError('invalid_request', `parameter "${printable(name)}" is given more than once`)
    }
    seen.add(name)
    if (value !== '') parameters.set(name, value)
  }
  return parameters
}

/** The parameter, or invalid_request naming it. */
export function required(parameters: Parameters, name: string): string {
  const value = parameters.get(name)
  if (value === undefined) throw new OAuthError('invalid_request', `parameter "${name}" is missing`)
  return value
}

// A parameter's name comes from whoever asked: it is quoted in errors, so it is cut and stripped first.
function printable(name: string): string {
  return name.slice(0, 40).replace(/[^\w.-]/g, '?')
}
