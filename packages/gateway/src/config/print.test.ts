import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { type LoadedConfig, loadConfigFile } from './load.ts';
import { printConfig } from './print.ts';
import { isSameConfig } from './reload.ts';

const id = '8f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e';
const hidden = 'hunter2-super-secret-value';
const good = {
  publicUrl: 'http://localhost:8099',
  entra: { tenant: id, clientId: id, credential: { secret: 'env:HIDDEN' } },
  backends: { one: { path: '/one', upstream: 'http://127.0.0.1:1/mcp' } },
};

function load(text: string): LoadedConfig {
  const env = { HIDDEN: hidden, STORE: `postgres://u:${hidden}@db.contoso.com/v`, PATH: '/usr/bin' };
  const loaded = loadConfigFile({ source: { text }, env, baseDirectory: '/etc/valetkey' });
  if (!loaded.ok) throw new Error(`${text}\n${JSON.stringify(loaded.error, null, 2)}`);
  return loaded.value;
}
const print = (document: object) => printConfig(load(stringify({ ...good, ...document })));

test.each<[string, object]>([
  ['the least', {}],
  ['a store behind a reference', { store: 'env:STORE' }],
  ['a store in parts', { store: { url: 'rediss://u@cache', password: 'env:HIDDEN' } }],
  ['keys in a vault', { keys: { keyVault: 'https://v.example/keys/k', managedIdentity: id } }],
  [
    'a client with a secret, and lists',
    {
      trustedProxies: ['10.0.0.1'],
      clients: {
        preRegistered: [
          { clientId: 'a', name: 'A', redirectUris: ['https://a.example/cb'], secret: 'env:HIDDEN' },
        ],
      },
    },
  ],
  [
    'backends of every kind and credential',
    {
      backends: {
        ...good.backends,
        key: { ...good.backends.one, path: '/key', credential: { header: 'X-Key', value: 'env:HIDDEN' } },
        own: { ...good.backends.one, path: '/own', credential: { entra: { scopes: ['api://a/x'] } } },
        older: { ...good.backends.one, path: '/older', transport: 'sse', maxConcurrent: 9, maxQueued: 2 },
        command: { path: '/command', command: ['node', 'x.js'], env: { TOKEN: 'env:HIDDEN' } },
        shared: {
          path: '/shared',
          command: 'x',
          mode: 'shared',
          legacySse: { sse: '/shared', message: '/m' },
        },
      },
    },
  ],
  [
    'one scope of two backends, each with the sentence that its title gives',
    {
      backends: {
        one: { ...good.backends.one, scopes: ['x.use'] },
        two: { ...good.backends.one, path: '/two', scopes: ['x.use'], title: 'Two', health: {} },
      },
    },
  ],
  [
    'all that is told to others',
    {
      telemetry: { metrics: { prometheus: true, otlp: {} }, traces: { otlp: true, sampleRatio: 0.5 } },
      accessLog: { file: './access.jsonl' },
      audit: { file: './audit.jsonl' },
    },
  ],
])('A15 D43: %s is printed as a configuration that says the same, without a secret', (_name, document) => {
  const text = stringify({ ...good, ...document });
  const printed = print(document);
  expect(isSameConfig(load(printed).config, load(text).config)).toBe(true);
  expect(printConfig(load(printed)), 'complete').toBe(printed);
  expect(printed).not.toContain('hunter2');
  expect(printed).toContain('secret: env:HIDDEN');
});

test('defaults that follow from other settings are filled in, and what cannot be written is a comment', () => {
  const printed = print({});
  expect(parse(printed)).toMatchObject({
    listen: { host: '127.0.0.1', port: 8099 },
    lifetimes: { accessTokenSeconds: 3600 },
    store: 'sqlite:./valetkey.db',
    backends: { one: { title: 'one', scopes: ['one.use'], timeouts: { firstByteMs: 60_000 } } },
  });
  expect(printed).toContain('# resource: http://localhost:8099/one\n');
  expect(printed).toContain('# authority: https://login.microsoftonline.com, Graph: https://graph.');
});

test('D43: a plain text among the variables of a command is not printed', () => {
  const backends = { one: { path: '/one', command: 'x', env: { DATABASE: `pg://u:${hidden}@h/db` } } };
  expect(print({ backends })).toContain('DATABASE: "[secret]"');
  expect(print({ backends })).not.toContain('hunter2');
});
