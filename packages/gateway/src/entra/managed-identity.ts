import type { Clock } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Secret } from '@valetkey/core/base/secret';
import type { EntraRefusal } from './entra.ts';
import { refusalFrom } from './errors.ts';
import { createKeptTokens, type KeptToken } from './kept-tokens.ts';
import { acquireManagedIdentityToken } from './managed-identity-token.ts';
import { openOutbound, type Outbound } from './outbound.ts';

type Acquired = Result<KeptToken, EntraRefusal>;

/** The managed identity of the place that the gateway runs at, as what a backend may ask of it. */
export interface ManagedIdentity {
  /**
   * Kept in memory and renewed ahead of its end.
   *
   * @param rejected one that the API refused with 401: a newer one is given, unless this one is seconds old.
   * @returns without a promise where the token is at hand.
   */
  tokenFor(resource: string, rejected?: Secret): Acquired | Promise<Acquired>;
  close(): Promise<void>;
}

export interface ManagedIdentityOptions {
  readonly clientId?: string | undefined;
  readonly clock: Clock;
  /** Default: opened here, with `caFile`. */
  readonly outbound?: Outbound;
  readonly caFile?: string | undefined;
}

/** Asks nobody anything before the first token is wanted. */
export function createManagedIdentity(options: ManagedIdentityOptions): ManagedIdentity {
  const { clientId, clock, caFile } = options;
  const outbound = options.outbound ?? openOutbound(caFile === undefined ? {} : { caFile });
  const kept = createKeptTokens<EntraRefusal>({ clock });

  async function acquire(resource: string): Promise<Acquired> {
    try {
      return ok(await acquireManagedIdentityToken(resource, { clientId, outbound, clock }));
    } catch (error) {
      return err(refusalFrom(error, {}));
    }
  }

  return {
    tokenFor: (resource, rejected) =>
      kept.get({ owner: resource, name: '', acquire: () => acquire(resource), rejected }),
    async close() {
      if (options.outbound === undefined) await outbound.close();
    },
  };
}
