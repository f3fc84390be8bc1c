/** After a rotation: seals again, under the key of now, what an older key has sealed. */
import type { RandomBytes } from '@valetkey/core/base/random';
import { findEnvelopeKid, openBytes, sealBytes } from '@valetkey/core/crypto/envelope';
import type { KeyRing } from '@valetkey/core/crypto/key-ring';
import type { Driver } from './driver.ts';

export interface ResealOptions {
  readonly driver: Driver;
  readonly keyRing: KeyRing;
  readonly random: RandomBytes;
  /** Called between pages, so that a large store does not keep others waiting. Default: the next turn of the loop. */
  readonly pause?: () => Promise<void>;
}

export interface Resealed {
  readonly resealed: number;
  /** Records that could not be opened, or that somebody else wrote meanwhile, which seals them anew as well. */
  readonly skipped: number;
}

/**
 * Goes through the store once. Each record is replaced only if it is still the one that was read, so a writer who is
 * faster wins, and expiry and groups stay.
 *
 * @throws StoreUnavailable; calling it again goes on where it is needed.
 */
export async function resealStore(options: ResealOptions): Promise<Resealed> {
  const { driver, keyRing, random, pause = nextTurn } = options;
  let [resealed, skipped] = [0, 0];
  let cursor: string | undefined;
  do {
    const page = await driver.scan(cursor);
    for (const { key, record } of page.records) {
      const current = keyRing.current('store');
      if (findEnvelopeKid(record.value) === current.kid) continue;
      const data = new TextEncoder().encode(key);
      const opened = openBytes((kid) => keyRing.find('store', kid), record.value, data);
      const isDone =
        opened.ok &&
        (await driver.replace(key, record.value, {
          ...record,
          value: sealBytes(current, opened.value, data, random),
        }));
      if (isDone) resealed += 1;
      else skipped += 1;
    }
    cursor = page.next;
    await pause();
  } while (cursor !== undefined);
  return { resealed, skipped };
}

/** How many records each key has sealed, by its id. */
export async function countByKey(driver: Driver): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let cursor: string | undefined;
  do {
    const page = await driver.scan(cursor);
    for (const { record } of page.records) {
      const kid = findEnvelopeKid(record.value) ?? 'unreadable';
      counts.set(kid, (counts.get(kid) ?? 0) + 1);
    }
    cursor = page.next;
  } while (cursor !== undefined);
  return counts;
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
