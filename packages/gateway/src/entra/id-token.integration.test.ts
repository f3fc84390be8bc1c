import { expect, test } from 'vitest';
import { createTestClock } from '../session/sealed-store.suite.ts';
import { CLIENT, HOST, OTHER_TENANT, startFakeAuthority, TENANT } from './fake-authority.suite.ts';
import { createKeySet, checkIdToken } from './id-token.ts';

async function open() {
  const clock = createTestClock(1_800_000_000_000);
  const authority = await startFakeAuthority(clock);
  const keys = createKeySet(`${HOST}/${TENANT}/discovery/v2.0/keys`, authority.outbound);
  const asked: string[] = [];
  const validate = (token: string, nonce?: string) =>
    checkIdToken(token, {
      clientId: CLIENT,
      tenants: [TENANT],
      authorityHost: HOST,
      nonce,
      keysOf: async (tenantId) => {
        asked.push(tenantId);
        return keys;
      },
      clock,
    });
  return { clock, authority, validate, asked };
}

test('D61: the nonce is ours to check, and not only MSAL’s', async () => {
  const { authority, validate } = await open();
  expect((await validate(await authority.sign({ nonce: 'n1' }), 'n1')).ok).toBe(true);
  for (const claims of [{ nonce: 'n2' }, { nonce: '' }, { nonce: undefined }]) {
    const refused = await validate(await authority.sign(claims), 'n1');
    expect(refused).toMatchObject({ ok: false, error: expect.stringContaining('nonce') });
  }
  expect((await validate(await authority.sign(), undefined)).ok).toBe(true);
});

test('a tenant that may not sign in never makes us fetch its keys', async () => {
  const { authority, validate, asked } = await open();
  expect((await validate(await authority.sign({ tid: OTHER_TENANT }))).ok).toBe(false);
  expect((await validate(await authority.sign({ tid: '../../evil' }))).ok).toBe(false);
  expect(asked).toEqual([]);
});

test('our clock may be a quarter of an hour behind that of Entra, and two minutes ahead of the end of a token', async () => {
  const { authority, validate, clock } = await open();
  const now = clock.nowMs() / 1000;
  const isValid = async (claims: Record<string, unknown>) =>
    (await validate(await authority.sign({ exp: now + 3600, ...claims }))).ok;
  expect(await isValid({ iat: now + 100, nbf: now + 100 })).toBe(true);
  expect(await isValid({ iat: now + 890, nbf: now + 890 })).toBe(true);
  expect(await isValid({ iat: now + 910, nbf: now + 910 })).toBe(false);
  expect(await isValid({ iat: now + 600, nbf: now + 800 }), 'it begins after it was made').toBe(false);
  expect(await isValid({ iat: now + 600, exp: now + 400 }), 'it ends before it was made').toBe(false);
  expect(await isValid({ exp: now - 100 })).toBe(true);
  expect(await isValid({ exp: now - 200 })).toBe(false);
});
