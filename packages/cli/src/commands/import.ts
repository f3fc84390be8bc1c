import { createReadStream } from 'node:fs';
import { importRecords } from '@valetkey/gateway/store/transfer';
import { fail } from '../administer.ts';
import { parseOptions } from '../command-line.ts';
import { withSealedStore } from '../open-sealed-store.ts';
import { readConfig } from '../read-config.ts';
import { UsageFault } from '../usage-fault.ts';

/** `valetkey import`: what `valetkey export` wrote, from a file or from stdin. */
export async function importStore(args: string[]): Promise<number> {
  const options = parseOptions(args, {
    config: { type: 'string' },
    input: { type: 'string' },
    merge: { type: 'boolean', default: false },
  });
  if (options.config === undefined) throw new UsageFault('import needs --config FILE');
  const config = readConfig(options.config, ['store', 'keys']);
  if (config === undefined) return 1;
  const { input, merge } = options;
  return withSealedStore(config, async ({ driver, keyRing }) => {
    try {
      const imported = await importRecords(driver, keyRing, readLines(input), { merge });
      if (!imported.ok) return fail(imported.error);
      process.stdout.write(`${imported.value} records\n`);
      return 0;
    } catch (fault) {
      if (!(fault instanceof Error && 'code' in fault && 'syscall' in fault)) throw fault;
      return fail({
        problem: `${input ?? 'stdin'} cannot be read (${String(fault.code)})`,
        remedy: 'Check its name.',
      });
    }
  });
}

/**
 * Opened when the first line is asked for. Not `node:readline`: it starts reading at once, and lines that come before
 * somebody listens are gone.
 */
async function* readLines(path: string | undefined): AsyncGenerator<string> {
  const input = path === undefined ? process.stdin : createReadStream(path);
  input.setEncoding('utf8');
  let rest = '';
  for await (const chunk of input as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
