// A certificate of one's own for a server under test, where the machine can make one.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from '../support/suite.ts'

export const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version'])
    return true
  } catch {
    return false
  }
})()

export interface Certificate {
  /** Of the certificate as PEM, to be trusted by another process. */
  readonly path: string
  readonly key: string
  readonly cert: string
}

export function certificate({ after }: TestContext, name: string): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'))
  after(() => rmSync(folder, { recursive: true }))
  const [keyPath, path] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-days', '2']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  const files = ['-keyout', keyPath, '-out', path]
  execFileSync('openssl', ['req', '-x509', ...kind, '-nodes', ...files, ...subject], { stdio: 'ignore' })
  return { path, key: readFileSync(keyPath, 'utf8'), cert: readFileSync(path, 'utf8') }
}
