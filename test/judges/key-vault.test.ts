/** Key Vault, judged by its own SDK: the bearer challenge, wrap and unwrap, versions, rotation, and what is refused. */
import { createHash, randomBytes } from 'node:crypto';
import tls from 'node:tls';
import { ClientSecretCredential, ManagedIdentityCredential } from '@azure/identity';
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys';
import {
  AUTOMATION_CLIENT_ID,
  AUTOMATION_CLIENT_SECRET,
  CONTOSO_TENANT_ID,
  createEmulator,
  type Emulator,
  GATEWAY_IDENTITY_CLIENT_ID,
} from '@valetkey/entra-emulator';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

const trustedBefore = tls.getCACertificates('default');
const options = {
  disableChallengeResourceVerification: true,
  retryOptions: { maxRetries: 2, retryDelayInMs: 1, maxRetryDelayInMs: 5 },
};
let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator();
  tls.setDefaultCACertificates([...trustedBefore, emulator.caCertificatePem]);
});
beforeEach(() => emulator.control.reset());
afterEach(() => {
  for (const name of ['IDENTITY_ENDPOINT', 'IDENTITY_HEADER']) Reflect.deleteProperty(process.env, name);
});
afterAll(async () => {
  tls.setDefaultCACertificates(trustedBefore);
  await emulator.close();
});

const vaultUrl = () => emulator.azure.vaultUrl ?? '';

/** The officer of the vault, by client secret. */
function officer(): ClientSecretCredential {
  return new ClientSecretCredential(CONTOSO_TENANT_ID, AUTOMATION_CLIENT_ID, AUTOMATION_CLIENT_SECRET, {
    authorityHost: emulator.authorityHost,
    disableInstanceDiscovery: true,
  });
}

function identity(clientId?: string): ManagedIdentityCredential {
  Object.assign(process.env, emulator.azure.appServiceEnvironment());
  return clientId === undefined
    ? new ManagedIdentityCredential()
    : new ManagedIdentityCredential({ clientId });
}

test('judge @azure/keyvault-keys 4: wrap and unwrap', async () => {
  const credential = identity(GATEWAY_IDENTITY_CLIENT_ID);
  const key = await new KeyClient(vaultUrl(), credential, options).getKey('gateway-key');
  expect(key.keyType).toBe('RSA');
  const crypto = new CryptographyClient(key, credential, options);
  const secret = randomBytes(32);
  const wrapped = await crypto.wrapKey('RSA-OAEP-256', secret);
  const opened = await crypto.unwrapKey('RSA-OAEP-256', wrapped.result);
  expect(Buffer.from(opened.result)).toEqual(secret);
  expect(opened.keyID).toBe(key.id);
  const asked = emulator.control.requestLog().filter((entry) => entry.path.startsWith('/keys'));
  // Each of its two clients asks once without a token, to be told where to get one; the key itself wraps at home.
  expect(asked.map((entry) => entry.status)).toEqual([401, 200, 401, 200, 200]);

  const sealed = await crypto.encrypt({ algorithm: 'RSA-OAEP', plaintext: secret });
  expect(
    Buffer.from((await crypto.decrypt({ algorithm: 'RSA-OAEP', ciphertext: sealed.result })).result),
  ).toEqual(secret);
  await expect(crypto.unwrapKey('RSA-OAEP-256', randomBytes(256))).rejects.toMatchObject({
    statusCode: 400,
    code: 'BadParameter',
  });
});

test('judge @azure/keyvault-keys 4: sign and verify', async () => {
  const credential = officer();
  const key = await new KeyClient(vaultUrl(), credential, options).createRsaKey('signing', { keySize: 2048 });
  const crypto = new CryptographyClient(key, credential, options);
  const message = Buffer.from('what is signed');
  for (const [algorithm, hash] of [
    ['RS256', 'sha256'],
    ['PS256', 'sha256'],
    ['RS512', 'sha512'],
    ['PS384', 'sha384'],
  ] as const) {
    const digest = createHash(hash).update(message).digest();
    const { result } = await crypto.sign(algorithm, digest);
    expect((await crypto.verify(algorithm, digest, result)).result, algorithm).toBe(true);
    const other = createHash(hash).update('something else').digest();
    expect((await crypto.verify(algorithm, other, result)).result, algorithm).toBe(false);
    const isGood = await globalThis.crypto.subtle.verify(
      algorithm.startsWith('PS') ? { name: 'RSA-PSS', saltLength: digest.length } : 'RSASSA-PKCS1-v1_5',
      await globalThis.crypto.subtle.importKey(
        'jwk',
        { kty: 'RSA', n: text(key.key?.n), e: text(key.key?.e) },
        {
          name: algorithm.startsWith('PS') ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5',
          hash: hash.replace('sha', 'SHA-'),
        },
        false,
        ['verify'],
      ),
      Buffer.from(result),
      message,
    );
    expect(isGood, `${algorithm}, by another implementation`).toBe(true);
  }
});

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('base64url');

test('judge @azure/keyvault-keys 4: versions and rotation', async () => {
  const credential = officer();
  const client = new KeyClient(vaultUrl(), credential, options);
  const first = await client.createRsaKey('epoch', { tags: { for: 'sessions' } });
  const wrapped = await new CryptographyClient(first, credential, options).wrapKey(
    'RSA-OAEP-256',
    Buffer.from('a data key'),
  );
  const second = await client.rotateKey('epoch');
  expect(second.properties.version).not.toBe(first.properties.version);
  expect((await client.getKey('epoch')).properties.version).toBe(second.properties.version);
  const versions: string[] = [];
  for await (const each of client.listPropertiesOfKeyVersions('epoch')) versions.push(each.version ?? '');
  expect(versions.toSorted()).toEqual([first, second].map((key) => key.properties.version ?? '').toSorted());
  const old = await client.getKey('epoch', { version: first.properties.version ?? '' });
  const opened = await new CryptographyClient(old, credential, options).unwrapKey(
    'RSA-OAEP-256',
    wrapped.result,
  );
  expect(Buffer.from(opened.result).toString()).toBe('a data key');
  const newest = new CryptographyClient(second, credential, options);
  await expect(newest.unwrapKey('RSA-OAEP-256', wrapped.result)).rejects.toMatchObject({ statusCode: 400 });
  const names: string[] = [];
  for await (const each of client.listPropertiesOfKeys()) names.push(each.name);
  expect(names.toSorted()).toEqual(['epoch', 'gateway-key']);
});

test('judge @azure/keyvault-keys 4: a disabled, a missing, a deleted and a forbidden key', async () => {
  const client = new KeyClient(vaultUrl(), officer(), options);
  await expect(client.getKey('nothing')).rejects.toMatchObject({ statusCode: 404, code: 'KeyNotFound' });
  const key = await client.createRsaKey('short-lived');
  const crypto = new CryptographyClient(key, officer(), options);
  const wrapped = await crypto.wrapKey('RSA-OAEP-256', Buffer.from('x'));
  await client.updateKeyProperties('short-lived', key.properties.version ?? '', { enabled: false });
  await expect(crypto.unwrapKey('RSA-OAEP-256', wrapped.result)).rejects.toMatchObject({
    statusCode: 403,
    code: 'Forbidden',
  });
  const poller = await client.beginDeleteKey('short-lived', { intervalInMs: 1 });
  expect((await poller.pollUntilDone()).properties.recoveryId).toContain('/deletedkeys/short-lived');
  await expect(client.getKey('short-lived')).rejects.toMatchObject({ statusCode: 404 });
  await expect(client.createRsaKey('short-lived')).rejects.toMatchObject({ statusCode: 409 });
  const recovering = await client.beginRecoverDeletedKey('short-lived', { intervalInMs: 1 });
  expect((await recovering.pollUntilDone()).name).toBe('short-lived');

  const limited = new KeyClient(vaultUrl(), identity(), options);
  expect((await limited.getKey('gateway-key')).name).toBe('gateway-key');
  await expect(limited.createRsaKey('mine')).rejects.toMatchObject({ statusCode: 403, code: 'Forbidden' });
});

test('judge @azure/keyvault-keys 4: throttling is waited out, and surfaces when it lasts', async () => {
  const client = new KeyClient(vaultUrl(), officer(), options);
  await client.getKey('gateway-key');
  emulator.control.setFault(
    { endpoint: 'keyVault' },
    { kind: 'status', status: 429, retryAfterSeconds: 0 },
    1,
  );
  emulator.control.setFault({ endpoint: 'keyVault' }, { kind: 'status', status: 503 }, 1);
  expect((await client.getKey('gateway-key')).name).toBe('gateway-key');
  emulator.control.setFault({ endpoint: 'keyVault' }, { kind: 'status', status: 429, retryAfterSeconds: 0 });
  await expect(client.getKey('gateway-key')).rejects.toMatchObject({ statusCode: 429, code: 'Throttled' });
});
