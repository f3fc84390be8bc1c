import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Store } from './collection.ts';
import { StoreDamaged } from './damage.ts';
import type { KeyFault } from './key-file.ts';

/** Also told apart from people's records when a store is moved. */
export const canaryCollection = 'store.canary';
const canaryId = 'canary';

/**
 * Finds out at start whether the key ring belongs to the store, by a record that every start reads and seals
 * again. Without it a lost key file is replaced by a new one in silence, and each person meets the fault alone.
 *
 * Sealed again each time: after a rotation the old key may leave the ring once nothing else needs it.
 *
 * @throws StoreUnavailable
 */
export async function checkKeyRing(store: Store): Promise<Result<undefined, KeyFault>> {
  const canaries = store.collection<{ readonly purpose: string }>(canaryCollection);
  try {
    await canaries.get(canaryId);
  } catch (fault) {
    if (!(fault instanceof StoreDamaged)) throw fault;
    return err(describeDamage(fault));
  }
  await canaries.put(canaryId, { purpose: 'opens when the key ring belongs to this store' });
  return ok(undefined);
}

function describeDamage(fault: StoreDamaged): KeyFault {
  if (fault.reason === 'unknown-key') {
    return {
      problem: 'The store was sealed with a key that the key file does not hold',
      remedy:
        'Point keys.file to the key file that this store was used with, or restore it from a backup. To start over, ' +
        'move the store away: everybody signs in again and every client registers again.',
    };
  }
  return {
    problem: 'The store is damaged, or was changed by something other than the gateway',
    remedy: 'Restore the store from a backup, or move it away to start over.',
  };
}
