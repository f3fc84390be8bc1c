import type { Adapter, AdapterPayload } from 'oidc-provider';
import { errors } from 'oidc-provider';
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { Collection, Store } from '../store/collection.ts';

export interface AdapterEnvironment {
  readonly store: Store;
  readonly clock: Clock;
  /** Called, and awaited, when a grant ends: by revocation, by replay of a code or of a refresh token. */
  readonly onGrantEnded: (grantId: string) => Promise<void>;
}

/**
 * What oidc-provider keeps, in our store: one collection per model (`oauth.client`, `oauth.refresh-token`, …).
 * Ids are hashed and values sealed by the store, so a copy of the database redeems nothing.
 */
export function createAdapterFactory(environment: AdapterEnvironment): (model: string) => Adapter {
  return (model) => createAdapter(model, environment);
}

function createAdapter(model: string, { store, clock, onGrantEnded }: AdapterEnvironment): Adapter {
  const records = store.collection<AdapterPayload>(`oauth.${kebabCase(model)}`);

  async function endGrant(grantId: string): Promise<void> {
    await grantCollection(store).delete(grantId);
    await onGrantEnded(grantId);
  }

  return {
    async upsert(id, payload, expiresIn) {
      const groups: string[] = [];
      if (payload.grantId !== undefined) groups.push(`grant:${payload.grantId}`);
      if (payload.uid !== undefined) groups.push(`uid:${payload.uid}`);
      const isKept = expiresIn === undefined || expiresIn <= 0;
      await records.put(id, payload, isKept ? { groups } : { groups, lifetimeSeconds: expiresIn });
    },
    find: (id) => records.get(id),
    async findByUid(uid) {
      return (await records.list(`uid:${uid}`))[0];
    },
    async findByUserCode() {
      return undefined;
    },
    /**
     * Spends a code or a refresh token, once: oidc-provider looks first and spends later, so of two requests
     * at the same moment both saw it unspent. The loser is a replay: what the winner got is revoked as well
     * (RFC 6749 §4.1.2, OAuth 2.1 §4.3.1).
     */
    async consume(id) {
      let wasSpent = false;
      const current = await records.update(id, (payload) => {
        wasSpent = payload.consumed !== undefined;
        return wasSpent ? undefined : { ...payload, consumed: nowSeconds(clock) };
      });
      if (current !== undefined) return;
      const spent = wasSpent ? await records.get(id) : undefined;
      if (spent?.grantId !== undefined) await endGrant(spent.grantId);
      throw new errors.InvalidGrant('already used');
    },
    async destroy(id) {
      if (model === 'Grant') return endGrant(id);
      await records.delete(id);
      return undefined;
    },
    async revokeByGrantId(grantId) {
      await records.deleteGroup(`grant:${grantId}`);
    },
  };
}

function grantCollection(store: Store): Collection<AdapterPayload> {
  return store.collection<AdapterPayload>('oauth.grant');
}

/** `AuthorizationCode` → `authorization-code`. */
function kebabCase(model: string): string {
  return model.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}
