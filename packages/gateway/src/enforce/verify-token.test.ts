import { randomBytes } from 'node:crypto';
import { ok } from '@valetkey/core/base/result';
import type { KeyPurpose, KeyRing } from '@valetkey/core/crypto/key-ring';
import * as fc from 'fast-check';
import { CompactEncrypt, SignJWT, UnsecuredJWT } from 'jose';
import { expect, test } from 'vitest';
import { claims, issueToken, issuer, nowSeconds, openTestRing, resource } from './issued-token.suite.ts';
import { createTokenVerifier } from './verify-token.ts';

const ring = openTestRing();

function openVerifier(options: { keyRing?: Pick<KeyRing, 'find'>; maxCached?: number } = {}) {
  const time = { nowMs: nowSeconds * 1000 };
  const revoked = new Set<string>();
  let lookups = 0;
  const find = (purpose: KeyPurpose, kid: string) => {
    lookups += 1;
    return (options.keyRing ?? ring).find(purpose, kid);
  };
  const verifier = createTokenVerifier({
    issuer,
    keyRing: { find },
    clock: { nowMs: () => time.nowMs },
    isRevoked: (sessionId) => revoked.has(sessionId),
    ...(options.maxCached === undefined ? {} : { maxCached: options.maxCached }),
  });
  return { ...verifier, time, revoked, lookups: () => lookups };
}

test('a good token gives its principal', async () => {
  const token = await issueToken(ring, {
    groups: ['g1'],
    name: 'Rita Reader',
    preferred_username: 'anna@contoso.test',
  });
  expect(await openVerifier().verify(token, resource)).toEqual(
    ok({
      principal: {
        tenantId: 'tenant-1',
        objectId: 'anna',
        displayName: 'Rita Reader',
        username: 'anna@contoso.test',
        roles: ['Snippets.Reader'],
        groups: ['g1'],
        scopes: ['snippets.use'],
        clientId: 'client-1',
        sessionId: 'session-1',
      },
      tokenId: 'token-1',
      issuedAtSeconds: nowSeconds,
      expiresAtSeconds: nowSeconds + 3600,
    }),
  );
});

const other = randomBytes(32);
const { roles: _roles, ...withoutRoles } = claims;

test.each<[string, string, () => Promise<string> | string]>([
  ['empty', 'malformed', () => ''],
  ['not base64', 'malformed', () => '!!!'],
  ['one part', 'malformed', () => 'abc'],
  ['truncated', 'malformed', async () => (await issueToken(ring)).slice(0, -20)],
  [
    'tampered',
    'forged',
    async () => (await issueToken(ring)).replace(/\.([^.])([^.]*)\.([^.]+)$/, '.A$1$2.$3'),
  ],
  ['of another key', 'forged', () => issueToken(ring, {}, { key: other })],
  ['of an unknown key id', 'forged', () => issueToken(ring, {}, { header: { kid: 'unknown' } })],
  ['without a key id', 'forged', () => issueToken(ring, {}, { header: { kid: undefined } })],
  ['of no typ', 'malformed', () => issueToken(ring, {}, { header: { typ: undefined } })],
  ['of another typ', 'malformed', () => issueToken(ring, {}, { header: { typ: 'JWT' } })],
  ['announcing a nested token', 'malformed', () => issueToken(ring, {}, { header: { cty: 'JWT' } })],
  ['compressed', 'malformed', () => issueToken(ring, {}, { header: { zip: 'DEF' } })],
  ['not JSON inside', 'malformed', () => issueToken(ring, {}, { plaintext: 'hello' })],
  ['a list inside', 'malformed', () => issueToken(ring, {}, { plaintext: '[]' })],
  ['expired', 'expired', () => issueToken(ring, { exp: nowSeconds })],
  [
    'made more than a quarter of an hour from now',
    'from_future',
    () => issueToken(ring, { iat: nowSeconds + 901, exp: nowSeconds + 4501 }),
  ],
  [
    'of another issuer',
    'wrong_issuer',
    () => issueToken(ring, { iss: `${issuer}/` }, { header: { iss: `${issuer}/` } }),
  ],
  ['for two resources', 'malformed', () => issueToken(ring, { aud: [resource, 'https://b.test'] })],
  ['without expiry', 'malformed', () => issueToken(ring, { exp: undefined })],
  ['with an expiry in text', 'malformed', () => issueToken(ring, { exp: String(nowSeconds + 60) })],
  ['without roles', 'malformed', () => issueToken(ring, {}, { plaintext: JSON.stringify(withoutRoles) })],
  ['with roles as text', 'malformed', () => issueToken(ring, { roles: 'Snippets.Reader' })],
  ['whose sub is another person', 'malformed', () => issueToken(ring, { sub: 'tenant-1.ben' })],
  ['without a session', 'malformed', () => issueToken(ring, { sid: '' })],
])('A13 A49 D17 D41: a token that is %s is refused as %s', async (_case, fault, make) => {
  const outcome = await openVerifier().verify(await make(), resource);
  expect(outcome).toEqual({ ok: false, error: fault });
});

test('no algorithm confusion: signed, unsigned and otherwise encrypted tokens are refused', async () => {
  const { kid, key } = ring.current('access-token');
  const secret = key.export();
  const tokens = [
    await new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid }).sign(secret),
    new UnsecuredJWT({ ...claims }).encode(),
    await new CompactEncrypt(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: 'A256KW', enc: 'A256GCM', kid, typ: 'at+jwt' })
      .encrypt(secret),
    await new CompactEncrypt(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: 'dir', enc: 'A128CBC-HS256', kid, typ: 'at+jwt' })
      .encrypt(secret),
  ];
  for (const token of tokens) expect((await openVerifier().verify(token, resource)).ok).toBe(false);
});

test.each([`${resource}-other`, `${resource}/`, `${issuer}/snippets`, issuer, resource.toUpperCase()])(
  'CVE-2025-69196: a token for /snippets/mcp is wrong at %s',
  async (elsewhere) => {
    const verifier = openVerifier();
    const token = await issueToken(ring);
    expect(await verifier.verify(token, elsewhere)).toEqual({ ok: false, error: 'wrong_audience' });
    expect((await verifier.verify(token, resource)).ok, 'and right where it belongs').toBe(true);
    expect(await verifier.verify(token, elsewhere), 'also once it is remembered').toEqual({
      ok: false,
      error: 'wrong_audience',
    });
  },
);

test('GHSA-vgf8-3685-66j9: a token of another deployment is refused', async () => {
  expect((await openVerifier().verify(await issueToken(openTestRing()), resource)).ok).toBe(false);
});

test('a token sealed with the key of another purpose is refused', async () => {
  const token = await issueToken(ring, {}, { key: new Uint8Array(ring.current('cookie').key.export()) });
  expect(await openVerifier().verify(token, resource)).toEqual({ ok: false, error: 'forged' });
});

test('a remembered token is not decrypted again, and still expires', async () => {
  const verifier = openVerifier();
  const token = await issueToken(ring);
  for (let call = 0; call < 5; call += 1) expect((await verifier.verify(token, resource)).ok).toBe(true);
  expect(verifier.lookups()).toBe(1);
  verifier.time.nowMs += 3600_000;
  expect(await verifier.verify(token, resource)).toEqual({ ok: false, error: 'expired' });
});

test('A13 A56: revocation is judged on every call', async () => {
  const verifier = openVerifier();
  const token = await issueToken(ring);
  expect((await verifier.verify(token, resource)).ok).toBe(true);
  verifier.revoked.add('session-1');
  expect(await verifier.verify(token, resource)).toEqual({ ok: false, error: 'revoked' });
});

test('memory is bounded: the token used longest ago is forgotten', async () => {
  const verifier = openVerifier({ maxCached: 2 });
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((jti) => issueToken(ring, { jti })));
  for (const token of [a, b, a, c]) await verifier.verify(token ?? '', resource);
  expect(verifier.lookups()).toBe(3);
  await verifier.verify(a ?? '', resource);
  expect(verifier.lookups(), 'a was used again and is kept').toBe(3);
  await verifier.verify(b ?? '', resource);
  expect(verifier.lookups(), 'b was forgotten').toBe(4);
});

test('garbage is not remembered', async () => {
  const verifier = openVerifier({ maxCached: 1 });
  const token = await issueToken(ring);
  await verifier.verify(token, resource);
  for (let index = 0; index < 20; index += 1) await verifier.verify(`junk-${index}`, resource);
  await verifier.verify(token, resource);
  expect(verifier.lookups()).toBe(1);
});

test('D17: whatever is sent, the answer is a refusal and never a throw', async () => {
  const verifier = openVerifier();
  const good = await issueToken(ring);
  const part = fc.oneof(fc.base64String(), fc.string(), fc.constant(good.split('.')[0] ?? ''));
  const noise = fc.oneof(
    fc.string(),
    fc.array(part, { minLength: 5, maxLength: 5 }).map((parts) => parts.join('.')),
  );
  await fc.assert(fc.asyncProperty(noise, async (token) => !(await verifier.verify(token, resource)).ok));
});
