import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from '@valetkey/gateway/config/config';
import type { KeyFault } from '@valetkey/gateway/store/key-file';

type Kept = Pick<Config, 'keys' | 'store'>;

/**
 * What a command that only looks after a gateway's state must find. Opening would make it, and new and empty it looks
 * like a gateway where nobody is signed in, while the real one stands in another folder.
 */
export function findMissingState(config: Kept): KeyFault | undefined {
  const missing = [findMissingKeyFile(config), findMissingDatabase(config)].filter(
    (what) => what !== undefined,
  );
  if (missing.length === 0) return undefined;
  return {
    problem: `there is no ${missing.join(', and no ')}: nothing was done`,
    remedy:
      '`valetkey serve` makes them at its first start. Name the configuration that it runs with; paths in it start at its folder.',
  };
}

function findMissingKeyFile({ keys }: Pick<Kept, 'keys'>): string | undefined {
  return 'file' in keys && isMissing(keys.file) ? `key file ${resolve(keys.file)}` : undefined;
}

function findMissingDatabase({ store }: Pick<Kept, 'store'>): string | undefined {
  if (store.driver !== 'sqlite' || store.path === ':memory:' || !isMissing(store.path)) return undefined;
  return `database ${resolve(store.path)}`;
}

/** What is there and cannot be looked at is not missing: opening it says what is wrong. */
function isMissing(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}
