/**
 * How long a call to the store takes, per driver, on loopback: the middle and the slow end of each operation alone, and
 * how many a second with 32 at a time. Bounded: some seconds per driver.
 *
 * Run: node --conditions=valetkey-source bench/store.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Driver } from '@valetkey/gateway/store/driver';
import { openDriver } from '@valetkey/gateway/store/open-store';
import {
  startPostgres,
  startRedis,
  startRedisCluster,
  storeConfigOf,
} from '@valetkey/gateway/store/real-servers.suite';

const calls = 1_000;
const parallel = 32;
/** About what a sealed session with its Entra tokens takes. */
const value = new Uint8Array(4_096).fill(7);
const record = {
  value,
  groups: ['person', 'client'],
  expiresAtSeconds: Math.floor(Date.now() / 1000) + 3_600,
};

const operations: Readonly<Record<string, (driver: Driver, index: number) => Promise<unknown>>> = {
  put: (driver, index) => driver.put(`k${index}`, record),
  get: (driver, index) => driver.get(`k${index}`),
  replace: (driver, index) => driver.replace(`k${index}`, value, record),
  take: (driver, index) => driver.take(`k${index}`),
};

const folder = mkdtempSync(join(tmpdir(), 'valetkey-bench-'));
const stores: Readonly<Record<string, () => Promise<{ url: string; close(): Promise<void> }>>> = {
  SQLite: async () => ({ url: `sqlite:${join(folder, 'store.db')}`, close: async () => {} }),
  Redis: () => startRedis(),
  'Redis Cluster': () => startRedisCluster(),
  PostgreSQL: () => startPostgres(),
};

console.log('| store | operation | median ms | 99 % ms | a second, 32 at a time |\n|---|---|---|---|---|');
for (const [name, start] of Object.entries(stores)) {
  const server = await start();
  const driver = await openDriver(storeConfigOf(server.url), { nowMs: () => Date.now() });
  for (const [operation, run] of Object.entries(operations)) {
    const alone = await measureAlone((index) => run(driver, index));
    if (operation === 'take')
      await Promise.all(Array.from({ length: calls }, (_, index) => driver.put(`k${index}`, record)));
    const rate = await measureTogether((index) => run(driver, index));
    console.log(`| ${name} | ${operation} | ${alone.median} | ${alone.slow} | ${rate} |`);
  }
  await driver.close();
  await server.close();
}
rmSync(folder, { recursive: true, force: true });

async function measureAlone(run: (index: number) => Promise<unknown>) {
  const took: number[] = [];
  for (let index = 0; index < calls; index += 1) {
    const startedMs = performance.now();
    await run(index);
    took.push(performance.now() - startedMs);
  }
  const sorted = took.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
  return { median: at(0.5), slow: at(0.99) };
}

async function measureTogether(run: (index: number) => Promise<unknown>): Promise<number> {
  const next = { index: 0 };
  const worker = async () => {
    for (let index = next.index++; index < calls; index = next.index++) await run(index);
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: parallel }, worker));
  return Math.round((calls * 1_000) / (performance.now() - startedMs));
}
