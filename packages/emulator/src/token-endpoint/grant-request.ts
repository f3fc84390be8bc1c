import type { AuthenticatedClient } from '../client-auth.ts';
import { AadstsError } from '../errors.ts';
import type { Platform } from '../seed.ts';

/** What a grant sees of a token request: the client is known, and so is how it proved itself. */
export interface GrantRequest extends AuthenticatedClient {
  readonly form: URLSearchParams;
  readonly segment: string;
  readonly version: 1 | 2;
  readonly origin?: string;
}

/**
 * Whether this client had to prove itself for what it holds: the platform of the redirect URI decides.
 *
 * @throws AADSTS7000218 (web without proof), 700025 (public with one), 9002327 (single-page app without `Origin`)
 */
export function checkProof(request: GrantRequest, platform: Platform): void {
  if (platform === 'web' && request.proof === 'none') throw new AadstsError(7000218);
  if (platform !== 'web' && request.proof !== 'none') throw new AadstsError(700025);
  if (platform === 'spa' && request.origin === undefined) throw new AadstsError(9002327);
}
