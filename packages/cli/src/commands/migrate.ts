import { StoreUnavailable } from '@valetkey/gateway/store/driver';
import { migrateStore } from '@valetkey/gateway/store/open-store';
import { parseOptions } from '../command-line.ts';
import { readConfig } from '../read-config.ts';
import { UsageFault } from '../usage-fault.ts';
import { createWorld } from '../world.ts';

/** `valetkey migrate`: the layout of the store, by a role that may create tables. 0 when it is up to date. */
export async function migrate(args: string[]): Promise<number> {
  const { config: file } = parseOptions(args, { config: { type: 'string' } });
  if (file === undefined) throw new UsageFault('migrate needs --config FILE');
  const config = readConfig(file, ['store']);
  if (config === undefined) return 1;
  try {
    process.stdout.write(`${await migrateStore(config.store, createWorld('warn').clock)}\n`);
    return 0;
  } catch (fault) {
    if (!(fault instanceof StoreUnavailable)) throw fault;
    process.stderr.write(`valetkey: ${fault.message}\n`);
    return 1;
  }
}
