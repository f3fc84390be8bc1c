import { expect, test } from 'vitest';
import { StoreUnavailable } from './driver.ts';
import { checkRedis } from './redis-check.ts';

const server = (info: Record<string, string>) => async (_info: string, section: string) =>
  `# Section\r\n${info[section] ?? ''}\r\n`.replaceAll(';', '\r\n');

test.each([
  ['noeviction', 'maxmemory:0;maxmemory_policy:noeviction'],
  ['volatile-lru: our records have no time to live', 'maxmemory:1000;maxmemory_policy:volatile-lru'],
  ['allkeys-lru without a limit', 'maxmemory:0;maxmemory_policy:allkeys-lru'],
])('D22 D49: Redis with %s is accepted', async (_name, memory) => {
  expect(
    await checkRedis(server({ memory, persistence: 'aof_enabled:1', server: 'redis_version:7.0.1' })),
  ).toEqual([]);
});

test('D49: Redis that may evict any record is refused', async () => {
  const memory = 'maxmemory:1000;maxmemory_policy:allkeys-lru';
  await expect(checkRedis(server({ memory }))).rejects.toThrow(/Set maxmemory-policy to noeviction/);
});

test('D22: Redis without an append-only file is warned of', async () => {
  const warnings = await checkRedis(server({ persistence: 'aof_enabled:0' }));
  expect(warnings.map(({ remedy }) => remedy)).toEqual([expect.stringContaining('appendonly yes')]);
});

test('a Redis too old for us is refused', async () => {
  await expect(checkRedis(server({ server: 'redis_version:5.0.14' }))).rejects.toThrow(
    /older than version 6/,
  );
});

test('a server that does not tell is accepted; one that is away is not', async () => {
  const fails = (message: string) => async () => {
    throw new StoreUnavailable(message);
  };
  expect(await checkRedis(fails('The Redis store failed: the user may not run the commands'))).toEqual([]);
  await expect(checkRedis(fails('The Redis store failed: no connection'))).rejects.toThrow(/no connection/);
});
