import { stringify } from 'yaml';
import type { Config } from './config.ts';

/**
 * The configuration as it is in effect, defaults and all, as YAML for people. A `Secret` turns itself into
 * `[secret]` on the way through JSON, so no list of secret fields has to be kept here.
 */
export function printConfig(config: Config): string {
  return stringify(JSON.parse(JSON.stringify(config)) as unknown, { lineWidth: 0 });
}
