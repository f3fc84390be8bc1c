import { type Administration, openAdministration } from '@valetkey/gateway/administration';
import { AuditUnavailable } from '@valetkey/gateway/audit/event';
import type { Config } from '@valetkey/gateway/config/config';
import { StoreUnavailable } from '@valetkey/gateway/store/driver';
import { findMissingState } from './missing-state.ts';
import { readConfig } from './read-config.ts';
import { UsageFault } from './usage-fault.ts';
import { createWorld } from './world.ts';

/**
 * Opens the store that the configuration names, beside a gateway that may be running on it. Makes neither store nor keys.
 *
 * @returns the exit code.
 */
export async function administer(
  command: string,
  file: string | undefined,
  work: (administration: Administration, config: Config) => Promise<number>,
): Promise<number> {
  if (file === undefined) throw new UsageFault(`${command} needs --config FILE`);
  const config = readConfig(file, ['store', 'keys']);
  if (config === undefined) return 1;
  const missing = findMissingState(config);
  if (missing !== undefined) return fail(missing);
  try {
    const opened = await openAdministration(config, createWorld('warn'));
    if (!opened.ok) return fail(opened.error);
    try {
      return await work(opened.value, config);
    } finally {
      await opened.value.close();
    }
  } catch (fault) {
    if (fault instanceof AuditUnavailable)
      return fail({
        problem: `nothing was done: ${fault.message}, and audit.onOverflow is refuse`,
        remedy: 'Make room where audit.file stands, then try again.',
      });
    if (!(fault instanceof StoreUnavailable)) throw fault;
    return fail({
      problem: `the store cannot be used: ${fault.message}`,
      remedy: 'Check the store section.',
    });
  }
}

export function fail({ problem, remedy }: { readonly problem: string; readonly remedy: string }): number {
  process.stderr.write(`valetkey: ${problem}\n      ${remedy}\n`);
  return 1;
}

/** Columns side by side, for people. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows.reduce<number[]>(
    (wide, row) => row.map((cell, index) => Math.max(wide[index] ?? 0, cell.length)),
    [],
  );
  for (const row of rows) {
    const line = row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ');
    process.stdout.write(`${line.trimEnd()}\n`);
  }
}

export function timeOf(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16)}Z`;
}
