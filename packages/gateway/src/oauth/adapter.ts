import type { Adapter, AdapterPayload } from 'oidc-provider';
import { errors } from 'oidc-provider';
import type { Clock } from '@valetkey/core/base/clock';
import type { Collection, Store } from '../store/collection.ts';
import { StoreUnavailable } from '../store/driver.ts';
import { createSpending } from './refresh-token-spending.ts';

export interface AdapterEnvironment {
  readonly store: Store;
  readonly clock: Clock;
  /** How long a registration that gets no token is kept; 0, and by default: for ever. */
  readonly registrationSeconds?: number;
  /** Called, and awaited, when a grant ends: by revocation, by replay of a code or of a refresh token. */
  readonly onGrantEnded: (grantId: string) => Promise<void>;
}

/**
 * What oidc-provider keeps, in our store: one collection per model (`oauth.client`, `oauth.refresh-token`, …).
 * Ids are hashed and values sealed by the store, so a copy of the database redeems nothing.
 */
export function createAdapterFactory(environment: AdapterEnvironment): (model: string) => Adapter {
  return (model) => translatingFaults(createAdapter(model, environment));
}

function createAdapter(model: string, environment: AdapterEnvironment): Adapter {
  const { store, clock, registrationSeconds = 0, onGrantEnded } = environment;
  const records = store.collection<AdapterPayload>(`oauth.${kebabCase(model)}`);
  const spending = createSpending(records, clock);

  async function endGrant(grantId: string): Promise<void> {
    await grantCollection(store).delete(grantId);
    await onGrantEnded(grantId);
  }

  return {
    async upsert(id, payload, expiresIn) {
      const groups: string[] = [];
      if (payload.grantId !== undefined) groups.push(`grant:${payload.grantId}`);
      if (payload.uid !== undefined) groups.push(`uid:${payload.uid}`);
      const lifetimeSeconds = model === 'Client' ? registrationSeconds : (expiresIn ?? 0);
      await records.put(id, payload, lifetimeSeconds <= 0 ? { groups } : { groups, lifetimeSeconds });
    },
    async find(id) {
      const found = await records.get(id);
      if (found?.consumed === undefined) return found;
      const examined = await spending.examine(id, found);
      if (examined === undefined) throw new errors.TemporarilyUnavailable(lostText);
      return examined;
    },
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
      const outcome = await spending.spend(id);
      if (outcome === 'done') return;
      if (outcome === 'lost') throw new errors.TemporarilyUnavailable(lostText);
      const spent = outcome === 'spent' ? await records.get(id) : undefined;
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

/** A registration that is in use is kept for another while. */
export async function keepRegistration(
  store: Store,
  clientId: string,
  lifetimeSeconds: number,
): Promise<void> {
  const clients = store.collection<AdapterPayload>('oauth.client');
  const client = await clients.get(clientId);
  if (client !== undefined) await clients.put(clientId, client, { lifetimeSeconds });
}

/** A store that does not answer is 503 and a time to come back, not a fault: see `answerUnavailable`. */
function translatingFaults(adapter: Adapter): Adapter {
  const translated = Object.entries(adapter).map(([name, work]) => [
    name,
    (...args: unknown[]) =>
      orTemporarilyUnavailable((work as (...args: unknown[]) => Promise<unknown>)(...args)),
  ]);
  return Object.fromEntries(translated) as Adapter;
}

/** For all that oidc-provider calls: it makes a 500 of every exception that is not its own. */
export async function orTemporarilyUnavailable<Value>(work: Promise<Value>): Promise<Value> {
  try {
    return await work;
  } catch (fault) {
    if (fault instanceof StoreUnavailable) throw new errors.TemporarilyUnavailable(storeText);
    throw fault;
  }
}

const storeText = 'the server cannot reach its data; try again in a few seconds';
const lostText = 'the same refresh is under way; try again in a few seconds';

function grantCollection(store: Store): Collection<AdapterPayload> {
  return store.collection<AdapterPayload>('oauth.grant');
}

/** `AuthorizationCode` → `authorization-code`. */
function kebabCase(model: string): string {
  return model.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}
