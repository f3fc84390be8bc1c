import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { exportRecords } from '@valetkey/gateway/store/transfer';
import { fail } from '../administer.ts';
import { parseOptions } from '../command-line.ts';
import { findMissingState } from '../missing-state.ts';
import { withSealedStore } from '../open-sealed-store.ts';
import { readConfig } from '../read-config.ts';
import { UsageFault } from '../usage-fault.ts';

/** `valetkey export`: every record, sealed as it is, to a file or to stdout. */
export async function exportStore(args: string[]): Promise<number> {
  const options = parseOptions(args, { config: { type: 'string' }, output: { type: 'string' } });
  if (options.config === undefined) throw new UsageFault('export needs --config FILE');
  const config = readConfig(options.config, ['store', 'keys']);
  if (config === undefined) return 1;
  const missing = findMissingState(config);
  if (missing !== undefined) return fail(missing);
  const { output } = options;
  return withSealedStore(config, async ({ driver, keyRing }) => {
    const lines = Readable.from(exportRecords(driver, keyRing));
    if (output === undefined) {
      await pipeline(lines, process.stdout, { end: false });
      return 0;
    }
    try {
      // A new file, for its owner only: somebody else's earlier export is not overwritten.
      await pipeline(lines, createWriteStream(output, { flags: 'wx', mode: 0o600 }));
    } catch (fault) {
      if (!(fault instanceof Error && 'code' in fault && 'syscall' in fault)) throw fault;
      return fail({
        problem: `${output} cannot be written (${String(fault.code)})`,
        remedy: 'Name a file that does not exist yet.',
      });
    }
    return 0;
  });
}
