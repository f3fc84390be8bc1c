import { decodeProtectedHeader, importJWK, jwtVerify } from 'jose';
import { expect, test } from 'vitest';
import { anna, backendAt, ben, createSigningJwk, publicUrl } from './front-and-back.suite.ts';
import { createIdentitySigner, IDENTITY_HEADER } from './identity.ts';

const startMs = 1_800_000_000_000;
const backend = backendAt('http://127.0.0.1:1/mcp');

function open(maxCached?: number) {
  const time = { nowMs: startMs };
  const signer = createIdentitySigner({
    issuer: publicUrl,
    signingJwk: createSigningJwk(),
    clock: { nowMs: () => time.nowMs },
    ...(maxCached === undefined ? {} : { maxCached }),
  });
  const jwtFor = async (...[principal, to]: Parameters<typeof signer.headersFor>) =>
    (await signer.headersFor(principal, to))[IDENTITY_HEADER] ?? '';
  return { signer, time, jwtFor };
}

test('A53: the identity is signed, for one backend, and short-lived', async () => {
  const { signer, jwtFor } = open();
  const jwt = await jwtFor(anna, backend);
  expect(decodeProtectedHeader(jwt)).toEqual({ alg: 'ES256', kid: 'k1', typ: 'valetkey-identity+jwt' });
  const { payload } = await jwtVerify(jwt, await importJWK({ ...signer.publicJwk }, 'ES256'), {
    issuer: publicUrl,
    audience: backend.resource,
    currentDate: new Date(startMs),
  });
  expect(payload).toEqual({
    iss: publicUrl,
    aud: backend.resource,
    sub: 'tenant-1.anna',
    tid: 'tenant-1',
    oid: 'anna',
    sid: 'session-1',
    client_id: 'client-1',
    roles: ['Snippets.Reader'],
    scope: 'snippets.use',
    name: 'Rita Réader',
    preferred_username: 'anna@contoso.test',
    iat: startMs / 1000,
    exp: startMs / 1000 + 300,
  });
});

test('the plain ids go along for backends on a private network', async () => {
  expect(await open().signer.headersFor(anna, backend)).toMatchObject({
    'x-valetkey-tenant-id': 'tenant-1',
    'x-valetkey-object-id': 'anna',
  });
});

test('the public key has no private part', () => {
  expect(Object.keys(open().signer.publicJwk).toSorted()).toEqual([
    'alg',
    'crv',
    'kid',
    'kty',
    'use',
    'x',
    'y',
  ]);
});

test('a signature is used again until half its life is over', async () => {
  const { jwtFor, time } = open();
  const first = await jwtFor(anna, backend);
  time.nowMs += 149_000;
  expect(await jwtFor({ ...anna, roles: [...anna.roles] }, backend)).toBe(first);
  time.nowMs += 1_000;
  expect(await jwtFor(anna, backend)).not.toBe(first);
});

test('D14 D42: a signature is never used for another person, backend, role, scope or session', async () => {
  const { jwtFor } = open();
  const first = await jwtFor(anna, backend);
  const others = await Promise.all([
    jwtFor(ben, backend),
    jwtFor(anna, { resource: `${backend.resource}-other` }),
    jwtFor({ ...anna, roles: [] }, backend),
    jwtFor({ ...anna, roles: ['Snippets.Reader', 'Snippets.Writer'] }, backend),
    jwtFor({ ...anna, scopes: [] }, backend),
    jwtFor({ ...anna, sessionId: 'session-9' }, backend),
    jwtFor({ ...anna, tenantId: 'tenant-2' }, backend),
  ]);
  expect(new Set([first, ...others]).size).toBe(8);
});

test('memory is bounded', async () => {
  const { jwtFor } = open(1);
  const first = await jwtFor(anna, backend);
  await jwtFor(ben, backend);
  expect(await jwtFor(anna, backend)).not.toBe(first);
});
