import { existsSync } from 'node:fs';
import { openSealedStore, type SealedStore } from '@valetkey/gateway/administration';
import type { Config } from '@valetkey/gateway/config/config';
import { StoreUnavailable } from '@valetkey/gateway/store/driver';
import { TransferStopped } from '@valetkey/gateway/store/transfer';
import { fail } from './administer.ts';
import { createWorld } from './world.ts';

/** Opens the store and its keys without a gateway. @returns what the work says, or 1 with the reason on stderr. */
export async function withSealedStore(
  config: Config,
  work: (store: SealedStore) => Promise<number>,
): Promise<number> {
  const file = 'file' in config.keys ? config.keys.file : undefined;
  // Opening would make a new one, which opens nothing.
  if (file !== undefined && !existsSync(file)) {
    return fail({ problem: `the key file ${file} does not exist`, remedy: 'Move it along with the store.' });
  }
  try {
    const opened = await openSealedStore(config, createWorld('warn'));
    if (!opened.ok) return fail(opened.error);
    try {
      return await work(opened.value);
    } finally {
      await opened.value.close();
    }
  } catch (fault) {
    if (fault instanceof TransferStopped) return fail(fault.fault);
    if (!(fault instanceof StoreUnavailable)) throw fault;
    return fail({
      problem: `the store cannot be used: ${fault.message}`,
      remedy: 'Check the store section.',
    });
  }
}
