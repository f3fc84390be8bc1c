import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CONTOSO_TENANT_ID,
  createEmulator,
  defaultSeed,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  GATEWAY_IDENTITY_CLIENT_ID,
} from '@valetkey/entra-emulator';
import { stringify } from 'yaml';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { openKeySource } from './open-keys.ts';
import { stageNewKeys, useNewKeys } from './rotation.ts';

let emulator: Emulator;
let folder: string;
const environmentBefore = { ...process.env };
const world = { random: (size: number) => randomBytes(size), clock: { nowMs: () => Date.now() } };

beforeAll(async () => {
  emulator = await createEmulator();
  folder = await mkdtemp(join(tmpdir(), 'valetkey-vault-'));
  await writeFile(join(folder, 'ca.pem'), emulator.caCertificatePem);
});
afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true, force: true });
});

afterEach(() => {
  for (const name of Object.keys(process.env))
    if (!(name in environmentBefore)) Reflect.deleteProperty(process.env, name);
});

function open(keys: Record<string, unknown>) {
  const loaded = loadConfig({
    source: {
      text: stringify({
        publicUrl: 'http://localhost:8080',
        entra: {
          cloud: { authorityHost: emulator.httpsOrigin, graphHost: emulator.httpsOrigin },
          tenant: CONTOSO_TENANT_ID,
          clientId: GATEWAY_CLIENT_ID,
          credential: { secret: 'env:SECRET' },
          caFile: './ca.pem',
        },
        keys,
        backends: { one: { path: '/one/mcp', upstream: 'http://127.0.0.1:1/mcp' } },
      }),
    },
    baseDirectory: folder,
    env: { SECRET: GATEWAY_CLIENT_SECRET },
  });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return openKeySource(loaded.value, world);
}
const vaultKey = () => `${emulator.httpsOrigin}/keys/gateway-key`;

test('A28 D23: a ring wrapped by Key Vault opens with the vault only, and rotates', async () => {
  const source = open({ keyVault: vaultKey(), file: './wrapped.json' });
  const first = await source.load();
  if (!first.ok) throw new Error(first.error.problem);
  const text = await readFile(join(folder, 'wrapped.json'), 'utf8');
  expect(JSON.parse(text)).toMatchObject({ version: 1, algorithm: 'RSA-OAEP-256' });
  for (const { secret } of first.value.file.keys) expect(text).not.toContain(secret);

  const again = await open({ keyVault: vaultKey(), file: './wrapped.json' }).load();
  expect(again).toMatchObject({ ok: true, value: { file: first.value.file } });
  expect(await open({ file: './wrapped.json' }).load()).toMatchObject({
    ok: false,
    error: { remedy: 'Name the key in keys.keyVault.' },
  });

  expect(await stageNewKeys({ source, ...world })).toMatchObject({ ok: true });
  expect(await useNewKeys({ source, ...world })).toMatchObject({ ok: true });
  const rotated = await source.load();
  if (!rotated.ok) throw new Error(rotated.error.problem);
  expect(rotated.value.ring.kids).toHaveLength(2);
  expect(rotated.value.ring.current('store').kid).not.toBe(first.value.ring.current('store').kid);
  await source.close();
});

test.each([
  ['another key than the one that wrapped it', '/keys/other-key', 'wrapped by another key'],
  ['a vault that is not there', undefined, 'wrapped by another key'],
])('A28: %s is a clear refusal', async (_what, path, problem) => {
  const source = open({ keyVault: vaultKey(), file: './mine.json' });
  expect(await source.load()).toMatchObject({ ok: true });
  const other =
    path === undefined ? 'https://127.0.0.1:1/keys/gateway-key' : `${emulator.httpsOrigin}${path}`;
  const refused = await open({ keyVault: other, file: './mine.json' }).load();
  expect(refused.ok ? '' : refused.error.problem).toContain(problem);
  await source.close();
});

test('A28: a file whose ring was changed does not open', async () => {
  const source = open({ keyVault: vaultKey(), file: './changed.json' });
  await source.load();
  const file = JSON.parse(await readFile(join(folder, 'changed.json'), 'utf8')) as { ring: string };
  const ring = Buffer.from(file.ring, 'base64url');
  ring[40] = (ring[40] ?? 0) ^ 1;
  await writeFile(
    join(folder, 'changed.json'),
    JSON.stringify({ ...file, ring: ring.toString('base64url') }),
  );
  const refused = await source.load();
  expect(refused.ok ? '' : refused.error.problem).toContain('damaged');
  await source.close();
});

const identityTokens = () =>
  emulator.control
    .requestLog()
    .filter(({ query, status }) => status === 200 && query['resource'] === 'https://vault.azure.net');

test('A28 A52: with keys.managedIdentity the vault is asked as that identity, and the application is not', async () => {
  emulator.control.reset();
  // A virtual machine is in `sessions-key-vault.test.ts`: MSAL looks once in the life of a process where it is.
  Object.assign(process.env, emulator.azure.appServiceEnvironment());
  const managedIdentity = GATEWAY_IDENTITY_CLIENT_ID;
  const keys = { keyVault: vaultKey(), managedIdentity, file: './of-identity.json' };
  const source = open(keys);
  expect(await source.load()).toMatchObject({ ok: true });
  expect(identityTokens()).toMatchObject([{ path: '/msi/token', query: { client_id: managedIdentity } }]);
  expect(await stageNewKeys({ source, ...world })).toMatchObject({ ok: true });
  expect(identityTokens(), 'one token is enough').toHaveLength(1);
  const ofApp = emulator.control.requestLog().filter((entry) => entry.path.endsWith('/oauth2/v2.0/token'));
  expect(ofApp).toEqual([]);

  // A vault that does not answer at a rotation leaves the ring as it was.
  emulator.control.setFault({ endpoint: 'keyVault' }, { kind: 'status', status: 503 }, 2);
  expect(await stageNewKeys({ source, ...world })).toMatchObject({
    ok: false,
    error: { problem: expect.stringContaining('503'), remedy: 'Try again in a moment.' },
  });
  expect(await useNewKeys({ source, ...world })).toMatchObject({ ok: false });
  await source.close();
  const again = open(keys);
  expect(await again.load()).toMatchObject({ ok: true });
  await again.close();
});

test('A28 A52: an identity that does not exist, or may not use the key, is a refusal that says what to do', async () => {
  Object.assign(process.env, emulator.azure.appServiceEnvironment());
  const unknown = '11111111-2222-4333-8444-555555555555';
  const source = open({ keyVault: vaultKey(), managedIdentity: unknown, file: './nobody.json' });
  expect(await source.load()).toMatchObject({
    ok: false,
    error: {
      problem: expect.stringContaining('no token for Key Vault'),
      remedy: expect.stringContaining('identity exists'),
    },
  });
  await source.close();

  const [tenant, ...others] = defaultSeed.tenants;
  if (tenant?.keyVault === undefined) throw new Error('the seed has no vault');
  const keyVault = { ...tenant.keyVault, roleAssignments: [] };
  const strict = await createEmulator({ seed: { tenants: [{ ...tenant, keyVault }, ...others] } });
  const former = emulator;
  emulator = strict;
  try {
    await writeFile(join(folder, 'ca.pem'), strict.caCertificatePem);
    const refused = open({ keyVault: vaultKey(), file: './may-not.json' });
    expect(await refused.load()).toMatchObject({
      ok: false,
      error: {
        problem: expect.stringContaining('403'),
        remedy: expect.stringContaining('Key Vault Crypto User'),
      },
    });
    await refused.close();
  } finally {
    emulator = former;
    await writeFile(join(folder, 'ca.pem'), former.caCertificatePem);
    await strict.close();
  }
});
