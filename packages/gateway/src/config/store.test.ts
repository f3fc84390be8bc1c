import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfigFile } from './load.ts';
import { printConfig } from './print.ts';
import { parseStoreUrl } from './store-url.ts';
import { listConfigWarnings } from './warnings.ts';

const hidden = 'hunter2-super-secret-value';
const id = '8f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e';

function load(store: unknown, env: Record<string, string> = {}) {
  return loadConfigFile({
    source: {
      text: stringify({
        publicUrl: 'https://mcp.contoso.com',
        entra: { tenant: id, clientId: id, credential: { managedIdentity: { clientId: id } } },
        backends: { one: { path: '/one/mcp', upstream: 'http://127.0.0.1:1/mcp' } },
        store,
      }),
    },
    baseDirectory: '/etc/valetkey',
    env: { PASSWORD: hidden, ...env },
    readFile: (path) => {
      if (path === '/etc/valetkey/store.txt') return `rediss://gateway:${hidden}@cache.contoso.com:6380\n`;
      if (path === '/etc/valetkey/ca.pem') return 'not a certificate';
      throw new Error('ENOENT');
    },
  });
}

function loadGoodFile(store: unknown, env: Record<string, string> = {}) {
  const loaded = load(store, env);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value;
}

function loadGood(store: unknown, env: Record<string, string> = {}) {
  return loadGoodFile(store, env).config;
}

test.each([
  ['sqlite:./valetkey.db', { driver: 'sqlite', path: '/etc/valetkey/valetkey.db' }],
  ['sqlite::memory:', { driver: 'sqlite', path: ':memory:' }],
  [
    'redis://cache.contoso.com',
    { driver: 'redis', topology: 'single', tls: false, hosts: [{ host: 'cache.contoso.com', port: 6379 }] },
  ],
  [
    'rediss://gateway@cache.contoso.com:6380/3',
    { topology: 'single', tls: true, database: 3, username: 'gateway', prefix: 'valetkey' },
  ],
  [
    'redis+sentinel://a:1,b,[::1]:3/mymaster/2',
    {
      topology: 'sentinel',
      masterName: 'mymaster',
      database: 2,
      hosts: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26_379 },
        { host: '::1', port: 3 },
      ],
    },
  ],
  ['rediss+cluster://a:7000,b:7001', { topology: 'cluster', tls: true, database: 0 }],
  [
    'postgres://gateway@db.contoso.com/valetkey',
    { driver: 'postgres', host: 'db.contoso.com', port: 5432, database: 'valetkey', tls: true },
  ],
  ['postgresql://db.contoso.com:6432/v%20k?sslmode=disable', { port: 6432, database: 'v k', tls: false }],
  ['postgres://u@db.contoso.com/v?sslmode=require', { tls: true }],
  ['postgres://u@127.0.0.1/v', { tls: false }],
])('D22: store %s', (store, expected) => {
  expect(loadGood(store).store).toMatchObject(expected);
});

test.each([
  ['an environment variable', 'env:STORE', `postgres://u:${hidden}@db/v`],
  ['a file', 'file:./store.txt', undefined],
  ['a map', { url: 'rediss://gateway@cache', password: 'env:PASSWORD' }, undefined],
  ['a map with references', { url: 'env:STORE', password: 'env:PASSWORD' }, 'postgres://u@db/v'],
])('A29: the password comes by reference from %s, and is never printed', (_name, store, value) => {
  const loaded = loadGoodFile(store, value === undefined ? {} : { STORE: value });
  const { config } = loaded;
  expect(config.store).not.toHaveProperty('path');
  if (config.store.driver === 'sqlite') throw new Error('not a server');
  expect(config.store.password?.reveal()).toBe(hidden);
  expect(printConfig(loaded)).not.toContain(hidden);
  expect(JSON.stringify(config)).toContain('[secret]');
});

test('a percent-encoded password is decoded', () => {
  const address = parseStoreUrl('redis://u:p%40%3A%2F@h');
  expect(address.ok && address.value).toMatchObject({ username: 'u', password: 'p@:/' });
});

test.each<[unknown, string, RegExp]>([
  [`redis://u:${hidden}@h`, 'store', /holds a password/],
  [{ url: `postgres://u:${hidden}@h/d` }, 'store.url', /holds a password/],
  [{ url: 'redis://h', password: hidden }, 'store.password', /written into the file/],
  ['mysql://h/d', 'store', /is not a store/],
  ['redis://', 'store', /not a whole address/],
  ['redis://a,b', 'store', /several hosts/],
  ['redis://h/main', 'store', /no database number/],
  ['redis://h?x=1', 'store', /query/],
  ['redis+sentinel://a:1,b:2', 'store', /lacks the name/],
  ['redis+cluster://a:1/4', 'store', /only one/],
  ['redis://h:99999', 'store', /not a whole address/],
  ['postgres://u@h', 'store', /names no database/],
  ['postgres://u@h/d?sslmode=prefer', 'store', /fall back to plain text/],
  ['postgres://u@h/d?options=x', 'store', /more than sslmode/],
  ['postgres://u@a,b/d', 'store', /several hosts/],
  ['env:BROKEN', 'store', /is not a store/],
  ['env:NO_SUCH', 'store', /is not set/],
  [{ url: 'env:BROKEN' }, 'store.url', /is not a store/],
  [{ url: 'sqlite:./x.db', password: 'env:PASSWORD' }, 'store.password', /means nothing to SQLite/],
  [{ url: 'env:WHOLE', password: 'env:PASSWORD' }, 'store.password', /given twice/],
  [{ url: 'rediss://h', caFile: './ca.pem' }, 'store.caFile', /no PEM certificate/],
  [{ url: 'rediss://h', caFile: './missing.pem' }, 'store.caFile', /cannot be read/],
  [{ url: 'postgres://h/d', prefix: 'x' }, 'store.prefix', /Redis only/],
  [{ url: 'redis://h', prefix: '{x}' }, 'store.prefix', /no prefix/],
  [{ url: 'redis://h', sentinelPassword: 'env:PASSWORD' }, 'store.sentinelPassword', /sentinel/],
  [{ url: 'redis://h', pasword: 'env:PASSWORD' }, 'store.pasword', /is not known/],
])('A29: store %j is refused at %s, and no fault repeats a secret', (store, path, problem) => {
  const loaded = load(store, { BROKEN: `mysql://u:${hidden}@h`, WHOLE: `redis://u:${hidden}@h` });
  const faults = loaded.ok ? [] : loaded.error;
  expect(faults.map((fault) => fault.path)).toContain(path);
  expect(faults.find((fault) => fault.path === path)?.problem).toMatch(problem);
  expect(JSON.stringify(faults)).not.toContain(hidden);
});

test('several faults of the store are told at once', () => {
  const loaded = load({
    url: 'redis://h',
    caFile: './ca.pem',
    password: 'env:NO_SUCH',
    sentinelPassword: 'env:X',
  });
  expect(loaded.ok ? [] : loaded.error.map(({ path }) => path).toSorted()).toEqual([
    'store.caFile',
    'store.caFile',
    'store.password',
    'store.sentinelPassword',
    'store.sentinelPassword',
  ]);
});

test.each([
  ['redis://cache.contoso.com', ['store']],
  ['postgres://db.contoso.com/v?sslmode=disable', ['store']],
  ['rediss://cache.contoso.com', []],
  ['redis+cluster://127.0.0.1:1,localhost:2', []],
])('a plain connection to another machine is warned of: %s', (store, paths) => {
  expect(listConfigWarnings(loadGood(store)).map(({ path }) => path)).toEqual(paths);
});
