import type { KeyPurpose, KeyRing } from '@valetkey/core/crypto/key-ring';
import type { Logger } from 'pino';
import type { RepeatingTimer } from '../store/sweeper.ts';
import type { KeySource } from './key-source.ts';

/** A ring that follows its source: whoever holds it always sees the keys of now. */
export interface LiveKeyRing extends KeyRing {
  /** Reads the source again, where it has changed. @returns whether other keys are in use now. */
  reload(): Promise<boolean>;
  /** Stops watching. */
  close(): void;
}

export interface LiveKeyRingOptions {
  readonly source: KeySource;
  readonly ring: KeyRing;
  readonly timer: RepeatingTimer;
  readonly log: Pick<Logger, 'info' | 'error'>;
}

/** How soon a replica knows a key that joined the ring; `valetkey keys rotate` waits for several of these. */
const KEY_POLL_MS = 1000;

/**
 * Watches the source. A ring that cannot be read, or that shares no key with the one in use, is not taken: the running
 * gateway goes on with what it has, and says so. Taking it would lose every session at once.
 */
export async function watchKeyRing(options: LiveKeyRingOptions): Promise<LiveKeyRing> {
  const { source, log } = options;
  const state = { ring: options.ring, version: await source.version(), isLoading: false, warnedOf: '' };

  async function reload(): Promise<boolean> {
    const version = await source.version();
    if (version === undefined || version === state.version || state.isLoading) return false;
    state.isLoading = true;
    try {
      const loaded = await source.load();
      if (!loaded.ok) {
        // Once per change; tried again with each look, since a vault may be back.
        if (state.warnedOf !== version)
          log.error(
            { problem: loaded.error.problem },
            'the changed keys cannot be used: going on with those of before',
          );
        state.warnedOf = version;
        return false;
      }
      const { ring } = loaded.value;
      state.version = version;
      if (!ring.kids.includes(state.ring.current('store').kid)) {
        log.error('the changed keys lack the key in use: going on with those of before');
        return false;
      }
      const isOther =
        ring.toString() !== state.ring.toString() || ring.kids.join() !== state.ring.kids.join();
      state.ring = ring;
      if (isOther) log.info({ current: ring.current('store').kid, keys: ring.kids.length }, 'keys changed');
      return isOther;
    } finally {
      state.isLoading = false;
    }
  }

  const stop = options.timer(() => {
    reload().catch((fault: unknown) => {
      log.error(
        { reason: fault instanceof Error ? fault.name : 'unknown' },
        'the keys could not be read again',
      );
    });
  }, KEY_POLL_MS);

  const live = {
    current: (purpose: KeyPurpose) => state.ring.current(purpose),
    find: (purpose: KeyPurpose, kid: string) => state.ring.find(purpose, kid),
    get kids() {
      return state.ring.kids;
    },
    get publicJwks() {
      return state.ring.publicJwks;
    },
    toString: () => state.ring.toString(),
    toJSON: () => state.ring,
    reload,
    close: stop,
  };
  // Not enumerable, as in the ring itself: nothing that prints the ring meets the private key.
  const signing = { enumerable: false, get: () => state.ring.signingJwk };
  return Object.defineProperty(live, 'signingJwk', signing) as unknown as LiveKeyRing;
}
