// A private key from the configuration, in the form that signs client assertions. Throws for anything else than a key
// with an asymmetric algorithm of RFC 7518 or RFC 8037.
import { createPrivateKey, type KeyObject, webcrypto } from 'node:crypto'

/** By curve or type, as WebCrypto wants to be told. */
const ALGORITHMS: Readonly<Record<string, webcrypto.EcKeyImportParams | webcrypto.RsaHashedImportParams>> = {
  prime256v1: { name: 'ECDSA', namedCurve: 'P-256' },
  secp384r1: { name: 'ECDSA', namedCurve: 'P-384' },
  secp521r1: { name: 'ECDSA', namedCurve: 'P-521' },
  rsa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  'rsa-pss': { name: 'RSA-PSS', hash: 'SHA-256' },
}

export async function importPrivateKey(pem: string): Promise<webcrypto.CryptoKey> {
  const key = createPrivateKey(pem)
  const der = key.export({ type: 'pkcs8', format: 'der' })
  return webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), algorithmOf(key), false, ['sign'])
}

function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject) {
  const name = String(type === 'ec' ? details?.namedCurve : type)
  if (name === 'ed25519') return { name: 'Ed25519' }
  const algorithm = ALGORITHMS[name]
  if (algorithm === undefined) throw new Error(`a key of the type ${name} signs nothing here`)
  return algorithm
}
