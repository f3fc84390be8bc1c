import { printConfig } from '@valetkey/gateway/config/print';
import { parseOptions } from '../command-line.ts';
import { readConfigFile } from '../read-config.ts';
import { UsageFault } from '../usage-fault.ts';

/** `valetkey check`: 0 when the configuration is good, 1 when it is not. */
export async function check(args: string[]): Promise<number> {
  const { config: file, print } = parseOptions(args, {
    config: { type: 'string' },
    print: { type: 'boolean', default: false },
  });
  if (file === undefined) throw new UsageFault('check needs --config FILE');
  const config = readConfigFile(file);
  if (config === undefined) return 1;
  process.stdout.write(print ? printConfig(config) : `${file}: no faults\n`);
  return 0;
}
