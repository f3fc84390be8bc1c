import type { RandomBytes } from '@valetkey/core/base/random';
import type { KeyRing } from '@valetkey/core/crypto/key-ring';
import type { Logger } from 'pino';
import type { Store } from '../store/collection.ts';
import type { Driver } from '../store/driver.ts';
import { resealStore } from '../store/reseal.ts';
import type { RepeatingTimer } from '../store/sweeper.ts';

export interface BackgroundResealingOptions {
  readonly driver: Driver;
  readonly store: Store;
  readonly keyRing: KeyRing;
  readonly random: RandomBytes;
  readonly timer: RepeatingTimer;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

const checkEveryMs = 5_000;
/** A replica that dies half-way leaves the rest to another one after this time. */
const leaseSeconds = 600;

/**
 * While the ring holds more than one key, one replica at a time seals the store again under the newest; once for each
 * key that becomes current. No old key is removed here: see `pruneKeys`.
 *
 * @returns how to stop it.
 */
export function startResealing(options: BackgroundResealingOptions): () => Promise<void> {
  const { driver, store, keyRing, timer, log } = options;
  const leases = store.collection<{ readonly isDone: boolean }>('keys.resealing');
  const state = { doneFor: '', running: Promise.resolve(), isBusy: false, isStopped: false };

  async function run(): Promise<void> {
    const { kid } = keyRing.current('store');
    if (keyRing.kids.length < 2 || state.doneFor === kid) return;
    if (!(await leases.create(kid, { isDone: false }, { lifetimeSeconds: leaseSeconds }))) {
      if ((await leases.get(kid))?.isDone === true) state.doneFor = kid;
      return;
    }
    const { resealed, skipped } = await resealStore({ driver, keyRing, random: options.random });
    await leases.put(kid, { isDone: true }, { lifetimeSeconds: leaseSeconds });
    state.doneFor = kid;
    // None: a new key is there and not in use yet, or another replica was here before.
    if (resealed > 0) log.info({ resealed, skipped, kid }, 'the store is sealed with the new key');
  }

  const stop = timer(() => {
    if (state.isBusy || state.isStopped) return;
    state.isBusy = true;
    state.running = run()
      .catch((fault: unknown) => {
        log.warn(
          { reason: fault instanceof Error ? fault.name : 'unknown' },
          'resealing will be tried again',
        );
      })
      .finally(() => {
        state.isBusy = false;
      });
  }, checkEveryMs);
  return async () => {
    state.isStopped = true;
    stop();
    await state.running;
  };
}
