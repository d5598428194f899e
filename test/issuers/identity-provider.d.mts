export interface RealIdentityProvider {
  readonly issuer: string
  close(): Promise<void>
}
export function startIdentityProvider(): Promise<RealIdentityProvider>
