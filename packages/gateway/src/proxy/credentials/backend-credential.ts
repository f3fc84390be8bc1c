/** What a backend is shown beside the request: one implementation for each kind of `credential`. */
import { ok, type Result } from '@valetkey/core/base/result';
import type { Principal } from '@valetkey/core/policy/principal';
import type { BackendFault } from '../backend-proxy.ts';

/** By name, in small letters. */
export type CredentialHeaders = Readonly<Record<string, string>>;

export type Shown = Result<CredentialHeaders, BackendFault>;

export interface BackendCredential {
  /** Small letters. Dropped from what clients send, whoever is calling and whatever becomes of it. */
  readonly headerNames: readonly string[];
  /**
   * @param principal who is calling; undefined: nobody, the gateway itself looks whether the backend is there.
   * @returns without a promise where nothing must be fetched first.
   */
  headersFor(principal: Principal | undefined): Shown | Promise<Shown>;
  /**
   * The backend answered 401 to `shown`.
   *
   * @param challenge its `WWW-Authenticate`.
   * @returns other headers to try once more with; `credential_refused` where there are none.
   */
  renewed(principal: Principal, shown: CredentialHeaders, challenge: string | undefined): Promise<Shown>;
  close(): Promise<void>;
}

/** A credential that never changes: no secret at all, or a header with a fixed one. */
export function createFixedCredential(headers: CredentialHeaders): BackendCredential {
  const shown = ok(headers);
  return {
    headerNames: Object.keys(headers),
    headersFor: () => shown,
    renewed: async () => refused,
    close: async () => {},
  };
}

export const refused: Shown = { ok: false, error: 'credential_refused' };
