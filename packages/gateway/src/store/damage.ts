import { StoreUnavailable } from './driver.ts';

/**
 * A record that does not open: its key is not in the key ring, or its bytes are not what this gateway wrote.
 * Names the collection only; ids and content stay out of messages.
 */
export class StoreDamaged extends Error {
  override readonly name = 'StoreDamaged';
  readonly collection: string;
  readonly reason: 'unknown-key' | 'forged';

  constructor(collection: string, reason: 'unknown-key' | 'forged') {
    super(
      reason === 'unknown-key'
        ? `A record of '${collection}' is sealed with a key that the key ring does not hold`
        : `A record of '${collection}' is damaged or was not written by this gateway`,
    );
    this.collection = collection;
    this.reason = reason;
  }
}

/** Other writers were faster every time: nothing was written, and trying again later is right (503). */
export class StoreContended extends StoreUnavailable {
  constructor(collection: string) {
    super(`A record of '${collection}' is being changed by too many writers`);
  }
}
