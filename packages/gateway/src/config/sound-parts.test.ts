/** What is wrong between values is told beside what is wrong with others, and nothing is made up from what is in doubt. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import * as z from 'zod';
import { loadConfig } from './load.ts';
import { loadOwnServer } from './own-server.ts';
import { isUnsure, keepSound, wholeList, wholeNames } from './sound-parts.ts';
import { loadStdioConfig } from './stdio-config.ts';

const id = '8f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e';
const other = '31b20c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e';
const entra = { tenant: id, clientId: id, credential: { managedIdentity: { clientId: id } } };
const backend = { path: '/one', upstream: 'http://127.0.0.1:1/mcp' };
const good = { publicUrl: 'https://mcp.contoso.com', entra, backends: { one: backend } };
const one = (change: object) => ({ backends: { one: { ...backend, ...change } } });

function faultsOf(change: object): string[] {
  const loaded = loadConfig({ source: { text: stringify({ ...good, ...change }) }, env: {} });
  return loaded.ok ? [] : loaded.error.map(({ path }) => path).toSorted();
}

test.each<[string, object, readonly string[]]>([
  [
    'a variable that is not set, beside a client id that is none',
    { entra: { ...entra, clientId: 'x', credential: { secret: 'env:NOT_SET' } } },
    ['entra.clientId', 'entra.credential.secret'],
  ],
  [
    'the token file, beside an unknown word',
    { entra: { ...entra, tenantId: id, credential: { workloadIdentity: {} } } },
    ['entra.credential.workloadIdentity.tokenFile', 'entra.tenantId'],
  ],
  [
    'a refresh token that is too short, beside another lifetime',
    { lifetimes: { accessTokenSeconds: 600, refreshTokenSeconds: 300, denialSeconds: -1 } },
    ['lifetimes.denialSeconds', 'lifetimes.refreshTokenSeconds'],
  ],
  [
    'a client that occurs twice, beside one that has no name',
    {
      clients: {
        preRegistered: [
          { clientId: 'a', name: 'A', redirectUris: ['https://a.example/cb'] },
          { clientId: 'b', redirectUris: ['https://b.example/cb'] },
          { clientId: 'a', name: 'A', redirectUris: ['https://a.example/cb'] },
        ],
      },
    },
    ['clients.preRegistered[1].name', 'clients.preRegistered[2].clientId'],
  ],
  [
    'what the two kinds of a backend have not in common, beside a title that is none',
    one({ upstream: undefined, title: '', args: ['x'] }),
    ['backends.one.args', 'backends.one.title', 'backends.one.upstream'],
  ],
  [
    'a path that two backends have, beside a bound of one of them',
    { backends: { one: backend, two: { ...backend, maxStreams: 0 } } },
    ['backends.two.maxStreams', 'backends.two.path'],
  ],
  [
    'a scope that is none of the backend, beside a role that cannot be one',
    one({ enter: { anyRole: ['a b'], scopes: ['other'] } }),
    ['backends.one.enter.anyRole[0]', 'backends.one.enter.scopes[0]'],
  ],
  [
    'a rule for another tenant, beside a client id that is none',
    { entra: { ...entra, clientId: 'x' }, ...one({ enter: { tenants: [other] } }) },
    ['backends.one.enter.tenants[0]', 'entra.clientId'],
  ],
  [
    'an address without its variable, beside a prefix that is none',
    { store: { url: 'env:NOT_SET', prefix: '{}' } },
    ['store.prefix', 'store.url'],
  ],
  [
    'two places for keys, beside a word that is unknown',
    { keys: { environment: 'env:NOT_SET', keyVault: 'https://v.example/keys/k', x: 1 } },
    ['keys.environment', 'keys.environment', 'keys.x'],
  ],
  [
    'the port of the metrics, beside a ratio that is none',
    {
      listen: { port: 9000 },
      telemetry: { metrics: { prometheus: { listen: '127.0.0.1:9000' } }, traces: { sampleRatio: 7 } },
    },
    ['telemetry.metrics.prometheus.listen', 'telemetry.traces.sampleRatio'],
  ],
  [
    'a queue for nothing and scopes of two APIs, beside a time-out',
    one({
      maxQueued: 5,
      timeouts: { connectMs: 0 },
      credential: { entra: { scopes: ['api://a/x', 'api://b/x'] } },
    }),
    ['backends.one.credential.entra.scopes', 'backends.one.maxQueued', 'backends.one.timeouts.connectMs'],
  ],
])('A2: %s, is told at once', (_name, change, expected) => {
  expect(faultsOf(change)).toEqual(expected);
});

test.each<[string, object, readonly string[]]>([
  ['an upstream that is none is not missing', one({ upstream: 'x' }), ['backends.one.upstream']],
  [
    'nor is one that is misspelled',
    one({ upstream: undefined, upsteam: 'http://a/mcp' }),
    ['backends.one.upsteam'],
  ],
  [
    'words of a command that is none belong to it',
    one({ upstream: undefined, command: 'a b', args: ['x'] }),
    ['backends.one.command'],
  ],
  [
    'scopes that are in doubt are not held against a rule',
    one({ scopes: ['a b', 'c'], enter: { scopes: ['d'] } }),
    ['backends.one.scopes[0]'],
  ],
  ['nor in a map', one({ scopes: { a: 'A', b: '' }, enter: { scopes: ['b'] } }), ['backends.one.scopes.b']],
  ['nor misspelled', one({ scope: ['d'], enter: { scopes: ['d'] } }), ['backends.one.scope']],
  [
    'nor tenants',
    { entra: { ...entra, tenant: [id, 'x'] }, ...one({ enter: { tenants: [other] } }) },
    ['entra.tenant[1]'],
  ],
  [
    'a lifetime that is misspelled is not taken for the standard',
    { lifetimes: { accessTokensSeconds: 60, refreshTokenSeconds: 600 } },
    ['lifetimes.accessTokensSeconds'],
  ],
  [
    'a queue waits for the bound that is none',
    one({ maxQueued: 5, maxConcurrent: 0 }),
    ['backends.one.maxConcurrent'],
  ],
  [
    'an identity is for the vault that is none',
    { keys: { keyVault: 'x', managedIdentity: id } },
    ['keys.keyVault'],
  ],
  [
    'a port that is none is not the standard one',
    { listen: { port: 'x' }, telemetry: { metrics: { prometheus: { listen: '127.0.0.1:8080' } } } },
    ['listen.port'],
  ],
])('%s', (_name, change, expected) => {
  expect(faultsOf(change)).toEqual(expected);
});

test('A2: so it is for a server that guards itself', () => {
  const options = {
    publicUrl: 'x',
    entra: { ...entra, clientId: 'x', credential: { secret: 'env:NOT_SET' } },
    path: '/sse',
    legacySse: { sse: '/sse', message: '/message' },
    enter: { scopes: ['other'] },
  };
  const loaded = loadOwnServer(options, { env: {} });
  expect(loaded.ok || loaded.error.map(({ path }) => path).toSorted()).toEqual([
    'enter.scopes[0]',
    'entra.clientId',
    'entra.credential.secret',
    'legacySse',
    'publicUrl',
  ]);
});

test('A2: and for a server on the own machine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'valetkey-sound-'));
  try {
    const file = join(folder, 'stdio.yaml');
    const server = { identity: 'none', tokens: { A: ['User.Read'] }, enter: { tenants: [other] } };
    writeFileSync(file, stringify({ entra: { tenant: id, clientId: 'x' }, server }));
    const loaded = loadStdioConfig(file);
    expect(loaded.ok || loaded.error.map(({ path }) => path)).toEqual([
      'entra.clientId',
      'server.tokens',
      'server.enter.tenants[0]',
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('what is kept: members, entries and items that are sound, defaults where nothing is misspelled', () => {
  const schema = z.strictObject({
    list: z.array(z.string()).min(1),
    map: z.record(z.string(), z.number()).optional(),
    either: z.union([z.literal('none'), z.strictObject({ a: z.number(), b: z.number().default(2) })]),
    standard: z.number().default(1),
  });
  const kept = keepSound(schema, { list: ['a', 1], map: { a: 1, b: 'x' }, either: { a: 'x' } });
  expect(kept).toMatchObject({ list: ['a', undefined], map: { a: 1 }, either: { b: 2 }, standard: 1 });
  expect([wholeList(kept?.list), wholeNames(kept?.map ?? {}), isUnsure(kept?.map, 'b')]).toEqual([
    undefined,
    undefined,
    true,
  ]);
  const doubtful = keepSound(schema, { list: [], either: 'x', standart: 3 });
  expect(Object.keys(doubtful ?? {})).toEqual([]);
  expect([isUnsure(doubtful, 'standard'), isUnsure(doubtful, 'map')]).toEqual([true, true]);
  expect(keepSound(schema, 7)).toBeUndefined();
});
