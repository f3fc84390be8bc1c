import type { Config } from '@valetkey/gateway/config/config';
import { type ConfigFault, loadConfig } from '@valetkey/gateway/config/load';
import { listConfigWarnings } from '@valetkey/gateway/config/warnings';

/** Reads a configuration file; faults go to stderr, all of them, each with its path and its remedy. */
export function readConfig(file: string): Config | undefined {
  const loaded = loadConfig({ source: { file }, env: process.env });
  if (!loaded.ok) {
    const count = loaded.error.length === 1 ? '1 fault' : `${loaded.error.length} faults`;
    process.stderr.write(`${file}: ${count}\n${loaded.error.map(describeFault).join('')}`);
    return undefined;
  }
  for (const warning of listConfigWarnings(loaded.value))
    process.stderr.write(`warning${describeFault(warning)}`);
  return loaded.value;
}

export function describeFault({ path, problem, remedy }: ConfigFault): string {
  return `  ${path}: ${problem}\n      ${remedy}\n`;
}
