import type { Config } from '@valetkey/gateway/config/config';
import {
  type ConfigFault,
  type LoadedConfig,
  loadConfigFile,
  type Referring,
} from '@valetkey/gateway/config/load';
import { listConfigWarnings } from '@valetkey/gateway/config/warnings';

/**
 * Reads a configuration file; faults go to stderr, all of them, each with its path and its remedy.
 *
 * @param needs the sections whose variables and files the command uses: it runs where no other one is set. Default: all,
 *   and then what works and should still be said goes to stderr too.
 */
export function readConfig(file: string, needs?: readonly Referring[]): Config | undefined {
  return readConfigFile(file, needs)?.config;
}

/** The same, together with what was written. */
export function readConfigFile(file: string, needs?: readonly Referring[]): LoadedConfig | undefined {
  const options = needs === undefined ? {} : { needs };
  const loaded = loadConfigFile({ source: { file }, env: process.env, ...options });
  if (!loaded.ok) {
    const count = loaded.error.length === 1 ? '1 fault' : `${loaded.error.length} faults`;
    process.stderr.write(`${file}: ${count}\n${loaded.error.map(describeFault).join('')}`);
    return undefined;
  }
  if (needs !== undefined) return loaded.value;
  for (const warning of listConfigWarnings(loaded.value.config))
    process.stderr.write(`warning${describeFault(warning)}`);
  return loaded.value;
}

export function describeFault({ path, problem, remedy }: ConfigFault): string {
  return `  ${path}: ${problem}\n      ${remedy}\n`;
}
