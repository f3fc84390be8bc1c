import { expect, test } from 'vitest';
import { createTestClock } from '../session/sealed-store.suite.ts';
import { CLIENT, HOST, OTHER_TENANT, startFakeAuthority, TENANT } from './fake-authority.suite.ts';
import { createKeySet, validateIdToken } from './id-token.ts';

async function open() {
  const clock = createTestClock(1_800_000_000_000);
  const authority = await startFakeAuthority(clock);
  const keys = createKeySet(`${HOST}/${TENANT}/discovery/v2.0/keys`, authority.outbound);
  const asked: string[] = [];
  const validate = (token: string, nonce?: string) =>
    validateIdToken(token, {
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

test('clocks may differ by two minutes, not more', async () => {
  const { authority, validate, clock } = await open();
  const now = clock.nowMs() / 1000;
  expect((await validate(await authority.sign({ iat: now + 100, nbf: now + 100 }))).ok).toBe(true);
  expect((await validate(await authority.sign({ iat: now + 200, nbf: now + 200 }))).ok).toBe(false);
  expect((await validate(await authority.sign({ exp: now - 100 }))).ok).toBe(true);
  expect((await validate(await authority.sign({ exp: now - 200 }))).ok).toBe(false);
});
