/** What only real servers show: TLS, passwords, rights, migrations that race, eviction, failover. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '@valetkey/core/base/secret';
import type { PostgresStoreConfig, RedisStoreConfig } from '../config/config.ts';
import { createSelfSigned } from '../entra/self-signed.suite.ts';
import { openDriver } from './open-store.ts';
import { openPostgresDriver } from './postgres.ts';
import { newestVersion } from './postgres-migrations.ts';
import {
  type RealServer,
  type RedisSentinelServers,
  startPostgres,
  startRedis,
  startRedisSentinel,
  storeConfigOf,
  until,
} from './real-servers.suite.ts';

const clock = { nowMs: () => Date.now() };
const value = new TextEncoder().encode('v');
const certificate = createSelfSigned(Date.now(), '127.0.0.1');

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function connectClient(url: string) {
  const client = createClient({ url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

describe('PostgreSQL', () => {
  let server: RealServer;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.close());
  const config = () => storeConfigOf(server.url) as PostgresStoreConfig;

  test('A57: ten replicas that start at once on an empty database migrate it once, and all of them work', async () => {
    const drivers = await Promise.all(
      Array.from({ length: 10 }, () => openPostgresDriver({ config: config(), clock })),
    );
    await Promise.all(drivers.map((driver, index) => driver.put(`k${index}`, { value })));
    expect(await drivers[0]?.get('k9')).toMatchObject({ value });
    const steps = await query(server.url, 'SELECT version FROM valetkey.migrations ORDER BY version');
    expect(steps.map(({ version }) => version)).toEqual(
      Array.from({ length: newestVersion }, (_, index) => index + 1),
    );
    await Promise.all(drivers.map((driver) => driver.close()));
  }, 30_000);

  test('after the migration a role suffices that may read and write rows and nothing else', async () => {
    await (await openPostgresDriver({ config: config(), clock })).close();
    await query(
      server.url,
      `
      CREATE ROLE gateway LOGIN PASSWORD 'for-tests' NOSUPERUSER NOCREATEDB NOCREATEROLE;
      REVOKE CREATE ON SCHEMA public FROM PUBLIC;
      GRANT USAGE ON SCHEMA valetkey TO gateway;
      GRANT SELECT, INSERT, UPDATE, DELETE ON valetkey.records TO gateway;
      GRANT SELECT ON valetkey.migrations TO gateway`,
    );
    const least = { ...config(), username: 'gateway', password: new Secret('for-tests') };
    const driver = await openPostgresDriver({ config: least, clock });
    await driver.put('k', { value, groups: ['g'] });
    expect(await driver.create('k', { value })).toBe(false);
    expect(await driver.replace('k', value, { value, groups: ['g'], expiresAtSeconds: 1 })).toBe(true);
    expect(await driver.sweep(10)).toBe(1);
    await driver.put('k', { value, groups: ['g'] });
    expect(await driver.list('g')).toHaveLength(1);
    expect(await driver.deleteGroup('g')).toBe(1);
    await driver.ping();
    await driver.close();
    const asGateway = `postgres://gateway:for-tests@127.0.0.1:${server.port}/postgres`;
    await expect(query(asGateway, 'DROP TABLE valetkey.records')).rejects.toThrow(/must be owner/);
    await expect(query(asGateway, 'DELETE FROM valetkey.migrations')).rejects.toThrow(/permission denied/);
  });

  test('a role that may not create tells the operator to run the migration', async () => {
    await query(server.url, "CREATE ROLE newcomer LOGIN PASSWORD 'for-tests'");
    await query(server.url, 'CREATE DATABASE empty');
    const newcomer = {
      ...config(),
      database: 'empty',
      username: 'newcomer',
      password: new Secret('for-tests'),
    };
    await expect(openPostgresDriver({ config: newcomer, clock })).rejects.toThrow(/run valetkey migrate/);
  });

  test('a database of a newer version is refused', async () => {
    await query(server.url, 'CREATE DATABASE newer');
    const newer = { ...config(), database: 'newer' };
    await (await openPostgresDriver({ config: newer, clock })).close();
    const url = server.url.replace(/postgres$/, 'newer');
    await query(url, 'INSERT INTO valetkey.migrations (version) VALUES (99)');
    await expect(openPostgresDriver({ config: newer, clock })).rejects.toThrow(/newer version \(layout 99/);
  });

  test.each([
    [
      'a wrong password',
      { password: new Secret('wrong-password') },
      /does not accept the user name and password/,
    ],
    ['no such database', { database: 'no_such_database' }, /the database does not exist/],
  ])('%s is told at once, and without the word', async (_name, change, message) => {
    const startedMs = performance.now();
    const opening = openPostgresDriver({ config: { ...config(), ...change }, clock });
    const fault: unknown = await opening.catch((reason: unknown) => reason);
    expect(fault).toMatchObject({
      name: 'StoreUnavailable',
      message: expect.stringMatching(message) as string,
    });
    expect(String(fault)).not.toMatch(/wrong-password|no_such/);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  test('D22: replicas that sweep at the same moment share the work: each record goes once', async () => {
    const [one, two] = await Promise.all([1, 2].map(() => openPostgresDriver({ config: config(), clock })));
    const past = Math.floor(Date.now() / 1000) - 10;
    await Promise.all(
      Array.from({ length: 300 }, (_, index) => one?.put(`old${index}`, { value, expiresAtSeconds: past })),
    );
    const swept = await Promise.all([one, two, one, two].map((driver) => driver?.sweep(100)));
    const rest = await one?.sweep(1_000);
    expect(swept.reduce<number>((sum, count) => sum + (count ?? 0), rest ?? 0)).toBe(300);
    await Promise.all([one?.close(), two?.close()]);
  });
});

describe('TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'valetkey-tls-'));
  const certFile = join(folder, 'server.crt');
  const keyFile = join(folder, 'server.key');
  writeFileSync(certFile, certificate.certificatePem);
  writeFileSync(keyFile, certificate.privateKeyPem, { mode: 0o600 });

  test.each([
    ['Redis', () => startRedis({ tls: { certFile, keyFile } })],
    [
      'PostgreSQL',
      () =>
        startPostgres({ tls: { certPem: certificate.certificatePem, keyPem: certificate.privateKeyPem } }),
    ],
  ])(
    'A29: %s over TLS: trusted with its CA, refused without, never plain',
    async (_name, start) => {
      const server = await start();
      try {
        const trusting = storeConfigOf(server.url, { caPem: certificate.certificatePem });
        expect(trusting).toMatchObject({ tls: true });
        const driver = await openDriver(trusting, clock);
        await driver.put('k', { value });
        expect(await driver.get('k')).toMatchObject({ value });
        await driver.close();
        await expect(openDriver(storeConfigOf(server.url), clock)).rejects.toMatchObject({
          name: 'StoreUnavailable',
        });
        const otherName = server.url.replace('127.0.0.1', 'localhost');
        await expect(
          openDriver(storeConfigOf(otherName, { caPem: certificate.certificatePem }), clock),
        ).rejects.toMatchObject({ name: 'StoreUnavailable' });
      } finally {
        await server.close();
      }
    },
    60_000,
  );
});

describe('Redis', () => {
  let server: RealServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.close());
  const config = () => storeConfigOf(server.url) as RedisStoreConfig;

  test('a wrong password is told at once, and without the word', async () => {
    const wrong = { ...config(), password: new Secret('wrong-password') };
    const fault: unknown = await openDriver(wrong, clock).catch((reason: unknown) => reason);
    expect(fault).toMatchObject({
      name: 'StoreUnavailable',
      message: expect.stringContaining('does not accept the user name and password') as string,
    });
    expect(String(fault)).not.toContain('wrong-password');
  });

  test('D49: no record has a time to live, so that no eviction policy for such keys can sign anybody out', async () => {
    const driver = await openDriver(config(), clock);
    await driver.put('k', { value, expiresAtSeconds: Math.floor(Date.now() / 1000) + 60, groups: ['g'] });
    const client = await connectClient(server.url);
    const keys = await client.keys('*');
    expect(keys.toSorted()).toEqual(['{valetkey}:expiries', '{valetkey}:index', '{valetkey}:r:k']);
    for (const key of keys) expect(await client.ttl(key), key).toBe(-1);
    await driver.put('k', { value, groups: ['h', 'i'] });
    await driver.replace('k', value, { value, groups: ['j'] });
    expect(await client.zRange('{valetkey}:index', 0, -1), 'itself and its one group').toHaveLength(2);
    expect(await client.zCard('{valetkey}:expiries')).toBe(0);
    await driver.take('k');
    expect(await client.keys('*'), 'and nothing stays behind').toEqual([]);
    await client.close();
    await driver.close();
  });

  test('D49: memory that is full refuses new records with StoreUnavailable and keeps the old ones', async () => {
    const driver = await openDriver(config(), clock);
    await driver.put('old', { value, groups: ['g'] });
    const client = await connectClient(server.url);
    await client.configSet('maxmemory', '1');
    const refused: unknown = await driver.put('new', { value }).catch((reason: unknown) => reason);
    expect(refused).toMatchObject({
      name: 'StoreUnavailable',
      message: expect.stringContaining('memory') as string,
    });
    expect(await driver.get('old')).toMatchObject({ value });
    await expect(driver.put('old', { value: new TextEncoder().encode('w') })).rejects.toThrow(
      /memory is full/,
    );
    expect(await driver.list('g'), 'the record is whole').toHaveLength(1);
    await client.configSet({ 'maxmemory-policy': 'allkeys-lru' });
    await expect(openDriver(config(), clock)).rejects.toThrow(/Set maxmemory-policy to noeviction/);
    await client.configSet({ maxmemory: '0', 'maxmemory-policy': 'noeviction' });
    await client.close();
    await driver.close();
  });

  test('D22: a server without an append-only file is warned of', async () => {
    const client = await connectClient(server.url);
    await client.configSet('appendonly', 'no');
    const warnings: string[] = [];
    const log = { warn: (_about: unknown, message: string) => void warnings.push(message) };
    const driver = await openDriver(config(), clock, log as unknown as Parameters<typeof openDriver>[2]);
    await driver.close();
    expect(warnings).toEqual([expect.stringContaining('append-only')]);
    await client.configSet('appendonly', 'yes');
    await client.close();
  });
});

describe('Redis with sentinels', () => {
  let servers: RedisSentinelServers;
  beforeAll(async () => {
    servers = await startRedisSentinel();
  }, 60_000);
  afterAll(() => servers.close());

  test('A57 D49: when the master dies the driver finds the new one, and what was replicated is there', async () => {
    const driver = await openDriver(storeConfigOf(servers.url), clock);
    await driver.put('k', { value, groups: ['g'] });
    const replica = await connectClient(`redis://127.0.0.1:${servers.replica.port}`);
    await until('the replication', async () => (await replica.dbSize()) === 2);
    await servers.master.kill();
    const during: unknown = await driver.take('k-absent').catch((reason: unknown) => reason);
    expect(during === undefined || (during instanceof Error && during.name === 'StoreUnavailable')).toBe(
      true,
    );
    await servers.untilFailedOver();
    await until(
      'the driver',
      () =>
        driver.put('after', { value }).then(
          () => true,
          () => false,
        ),
      20_000,
    );
    expect(await driver.get('k')).toMatchObject({ value });
    expect(await driver.take('k')).toMatchObject({ value });
    expect(await driver.take('k')).toBeUndefined();
    await replica.close();
    await driver.close();
  }, 60_000);
});
