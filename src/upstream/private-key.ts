// A private key from the configuration, in the form that signs client assertions. Pure.
import { createPrivateKey, type KeyObject, webcrypto } from 'node:crypto'

type Algorithm = { readonly name: string } | webcrypto.EcKeyImportParams | webcrypto.RsaHashedImportParams

/** By curve or type, as WebCrypto wants to be told. It takes no key that is bound to RSA-PSS. */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  prime256v1: { name: 'ECDSA', namedCurve: 'P-256' },
  secp384r1: { name: 'ECDSA', namedCurve: 'P-384' },
  secp521r1: { name: 'ECDSA', namedCurve: 'P-521' },
  rsa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  ed25519: { name: 'Ed25519' },
}
/** RFC 7518 §3.3. */
const SHORTEST_RSA_BITS = 2048

/** What is wrong with it; undefined: it can sign. */
export function privateKeyFault(pem: string): string | undefined {
  const key = parse(pem)
  if (key === undefined) return 'is no private key as PEM text without a passphrase: EC, RSA or Ed25519'
  const kind = kindOf(key)
  if (!Object.hasOwn(ALGORITHMS, kind))
    return `is a key of the type ${kind}, not EC (P-256, P-384, P-521), RSA or Ed25519`
  const bits = key.asymmetricKeyDetails?.modulusLength ?? SHORTEST_RSA_BITS
  return bits < SHORTEST_RSA_BITS
    ? `is an RSA key of ${bits} bits, not ${SHORTEST_RSA_BITS} or more`
    : undefined
}

/** Throws for anything that can't sign, and says why. */
export async function importPrivateKey(pem: string): Promise<webcrypto.CryptoKey> {
  const fault = privateKeyFault(pem)
  if (fault !== undefined) throw new Error(`private_key ${fault}`)
  const key = createPrivateKey(pem)
  const der = new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }))
  return webcrypto.subtle.importKey('pkcs8', der, ALGORITHMS[kindOf(key)] as Algorithm, false, ['sign'])
}

function parse(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

function kindOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string {
  return String(details?.namedCurve ?? type)
}
