import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { type LoadOptions, loadConfig, type Referring } from './load.ts';

const id = '8f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e';
/** Every kind of reference there is, and none that leads anywhere. */
const document = {
  publicUrl: 'https://mcp.contoso.com',
  entra: {
    tenant: id,
    clientId: id,
    credential: { secret: 'env:CLIENT_SECRET' } as Record<string, unknown>,
    caFile: './ca.pem',
  },
  store: { url: 'env:STORE', password: 'env:STORE_PASSWORD' },
  keys: { environment: 'env:KEYS' } as Record<string, unknown>,
  clients: {
    preRegistered: [{ clientId: 'a', name: 'A', redirectUris: ['https://a.example/cb'], secret: 'env:A' }],
  },
  backends: {
    one: {
      path: '/one',
      upstream: 'http://127.0.0.1:1/mcp',
      credential: { header: 'x-key', value: 'env:ONE' },
      enter: { anyRole: ['One'] },
    },
    two: { path: '/two', command: 'two', env: { TOKEN: 'env:TWO', PLAIN: 'text' } },
  },
};
const load = (needs: readonly Referring[] | undefined, more: object = {}, env: LoadOptions['env'] = {}) =>
  loadConfig({
    source: { text: stringify({ ...document, ...more }) },
    env,
    readFile: () => {
      throw new Error('ENOENT');
    },
    ...(needs === undefined ? {} : { needs }),
  });
const pathsOf = (loaded: ReturnType<typeof load>) => (loaded.ok ? [] : loaded.error.map(({ path }) => path));

test.each<[string, readonly Referring[] | undefined, readonly string[]]>([
  [
    'a gateway',
    undefined,
    [
      'entra.credential.secret',
      'entra.caFile',
      'store.url',
      'store.password',
      'keys.environment',
      'clients.preRegistered[0].secret',
      'backends.one.credential.value',
      'backends.two.env.TOKEN',
    ],
  ],
  ['who uses the store', ['store'], ['store.url', 'store.password']],
  ['who uses the keys', ['keys'], ['keys.environment']],
  ['who looks at rules', [], []],
])('%s needs the variables that it uses, and no other one', (_name, needs, expected) => {
  expect(pathsOf(load(needs))).toEqual(expected);
});

test('a key in the vault is opened with the credential of entra, unless an identity is named for it', () => {
  const keys = { keyVault: 'https://vault.example/keys/ring' };
  expect(pathsOf(load(['keys'], { keys }))).toEqual(['entra.credential.secret', 'entra.caFile']);
  expect(pathsOf(load(['keys'], { keys: { ...keys, managedIdentity: id } }))).toEqual(['entra.caFile']);
  const entra = { ...document.entra, credential: { workloadIdentity: {} } };
  const missing = 'entra.credential.workloadIdentity.tokenFile';
  expect(pathsOf(load(['keys'], { keys, entra }))).toEqual(['entra.caFile', missing]);
  expect(pathsOf(load(['store', 'keys'], { entra }, { STORE: 'redis://h', STORE_PASSWORD: 'p' }))).toEqual([
    'keys.environment',
  ]);
});

test('D43: to use what was not read is a fault of ours, and never an empty text', () => {
  const config = load([]);
  if (!config.ok) throw new Error(JSON.stringify(config.error));
  const { entra, store, keys, clients, backends } = config.value;
  const [one, two] = backends;
  expect([entra.tenants, one?.rules.enter]).toEqual([[id], { anyRole: ['One'] }]);
  expect(two?.process?.env['PLAIN']?.reveal()).toBe('text');
  const uses: readonly (() => unknown)[] = [
    () => entra.credential.kind,
    () => store.driver,
    () => keys.kind,
    () => clients.preRegistered,
    () => one?.credential?.kind === 'header' && one.credential.value.reveal(),
    () => two?.process?.env['TOKEN']?.reveal(),
    () => JSON.stringify(config.value),
    () => ({ ...store }),
  ];
  for (const use of uses) expect(use).toThrow(/is used, but was not among what this command reads/);
});

test('what is wrong in the file itself is told to every command', () => {
  const lifetimes = { accessTokenSeconds: 600, refreshTokenSeconds: 60 };
  expect(pathsOf(load([], { lifetimes, publicUrl: 'x' }))).toContain('publicUrl');
});
