import type { AuthenticatedClient } from '../client-auth.ts';
import type { ClaimsRequest } from '../claims-request.ts';
import { AadstsError } from '../errors.ts';
import type { Platform } from '../seed.ts';

/** What a grant sees of a token request: the client is known, and so is how it proved itself. */
export interface GrantRequest extends AuthenticatedClient {
  readonly form: URLSearchParams;
  readonly segment: string;
  readonly version: 1 | 2;
  readonly claims: ClaimsRequest;
  readonly origin?: string;
}

/**
 * Whether this client had to prove itself for what it holds: the platform of the redirect URI decides.
 *
 * @throws AADSTS7000218 (web without proof), 700025 (public with one), 9002327 (single-page app without `Origin`),
 *   9002326 (anybody else with one)
 */
export function checkProof(request: GrantRequest, platform: Platform): void {
  if (platform !== 'spa') checkNotCrossOrigin(request);
  if (platform === 'web' && request.proof === 'none') throw new AadstsError(7000218);
  if (platform !== 'web' && request.proof !== 'none') throw new AadstsError(700025);
  if (platform === 'spa' && request.origin === undefined) throw new AadstsError(9002327);
}

/** Only a single-page app's page may read the answer. @throws AADSTS9002326 */
export function checkNotCrossOrigin({ origin }: GrantRequest): void {
  if (origin !== undefined) throw new AadstsError(9002326, { origin });
}

/** Device code and passwords work without a credential only where the app is a public client. @throws AADSTS7000218 */
export function checkPublicOrProven(request: GrantRequest): void {
  const { seed, redirectUris } = request.app;
  const isPublic = seed.allowPublicClient ?? redirectUris.some(({ platform }) => platform === 'publicClient');
  checkNotCrossOrigin(request);
  if (!isPublic && request.proof === 'none') throw new AadstsError(7000218);
}
