import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { postToken } from '../browser.suite.ts';
import {
  AUTOMATION_CLIENT_ID,
  AUTOMATION_CLIENT_SECRET,
  CONTOSO_TENANT_ID,
  createEmulator,
  type Emulator,
} from '../emulator.ts';

let emulator: Emulator;
let officer: string;
beforeAll(async () => {
  emulator = await createEmulator();
  officer = await tokenFor('https://vault.azure.net/.default');
});
beforeEach(() => emulator.control.reset());
afterAll(() => emulator.close());

async function tokenFor(scope: string): Promise<string> {
  const answer = await postToken(emulator, {
    grant_type: 'client_credentials',
    client_id: AUTOMATION_CLIENT_ID,
    client_secret: AUTOMATION_CLIENT_SECRET,
    scope,
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

type Body = Record<string, unknown> & { error?: Record<string, unknown>; key?: Record<string, string> };

async function call(method: string, path: string, body?: unknown, token: string | undefined = officer) {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token !== '') headers['authorization'] = `Bearer ${token}`;
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(`${emulator.httpOrigin}${path}?api-version=7.4`, { method, headers, ...init });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
}

test('without a token the vault says where to get one, and for what', async () => {
  for (const token of ['', 'x', await tokenFor('https://graph.microsoft.com/.default')]) {
    const { status, headers, body } = await call('GET', '/keys/gateway-key', undefined, token);
    expect([status, body.error?.['code']]).toEqual([401, 'Unauthorized']);
    expect(headers.get('www-authenticate')).toBe(
      `Bearer authorization="${emulator.httpsOrigin}/${CONTOSO_TENANT_ID}", resource="https://vault.azure.net"`,
    );
  }
});

test('a key has an id by position, with an empty version as the newest one', async () => {
  const { body } = await call('GET', '/keys/gateway-key/');
  expect(body.key).toMatchObject({
    kid: expect.stringMatching(new RegExp(`^${emulator.httpsOrigin}/keys/gateway-key/[0-9a-f]{32}$`)),
    kty: 'RSA',
    e: 'AQAB',
  });
  expect(JSON.stringify(body)).not.toMatch(/"[dpq]":/);
  const value = Buffer.from('a data key').toString('base64url');
  const wrapped = await call('POST', '/keys/gateway-key//wrapkey', { alg: 'RSA-OAEP-256', value });
  expect(wrapped.body['kid']).toBe(body.key?.['kid']);
  const opened = await call('POST', '/keys/gateway-key/unwrapkey', {
    alg: 'RSA-OAEP-256',
    value: wrapped.body['value'],
  });
  expect(opened.body['value']).toBe(value);
  const other = await call('POST', '/keys/gateway-key/unwrapkey', {
    alg: 'RSA-OAEP',
    value: wrapped.body['value'],
  });
  expect([other.status, other.body.error]).toMatchObject([400, { code: 'BadParameter' }]);
});

test('an expired key opens and does not close; one that lacks an operation does neither', async () => {
  const now = Math.floor(Date.now() / 1000);
  await call('POST', '/keys/old/create', { kty: 'RSA', attributes: { exp: now + 60 } });
  const value = Buffer.from('x').toString('base64url');
  const wrapped = await call('POST', '/keys/old/wrapkey', { alg: 'RSA-OAEP', value });
  emulator.control.advanceClock(120);
  const again = await call('POST', '/keys/old/wrapkey', { alg: 'RSA-OAEP', value });
  expect([again.status, again.body.error]).toMatchObject([
    403,
    { code: 'Forbidden', innererror: { code: 'KeyExpired' } },
  ]);
  expect(
    (await call('POST', '/keys/old/unwrapkey', { alg: 'RSA-OAEP', value: wrapped.body['value'] })).body[
      'value'
    ],
  ).toBe(value);
  await call('POST', '/keys/narrow/create', { kty: 'RSA', key_ops: ['sign', 'verify'] });
  expect((await call('POST', '/keys/narrow/wrapkey', { alg: 'RSA-OAEP', value })).status).toBe(403);
});

test.each([
  ['POST', '/keys/a_b/create', { kty: 'RSA' }],
  ['POST', '/keys/x/create', { kty: 'EC' }],
  ['POST', '/keys/x/create', { kty: 'RSA', key_size: 512 }],
  ['POST', '/keys/x/create', { kty: 'RSA', key_ops: ['dance'] }],
  ['POST', '/keys/x/create', { kty: 'RSA', attributes: { exp: 'soon' } }],
  ['POST', '/keys/gateway-key/wrapkey', { alg: 'A256KW', value: 'AA' }],
  ['POST', '/keys/gateway-key/wrapkey', { alg: 'RSA-OAEP', value: '!' }],
  ['POST', '/keys/gateway-key/wrapkey', { alg: 'RSA-OAEP', value: 'A'.repeat(600) }],
  ['POST', '/keys/gateway-key/wrapkey', { alg: 'constructor', value: 'AA' }],
  ['POST', '/keys/gateway-key/sign', { alg: 'RS256', value: 'AA' }],
  ['POST', '/keys/gateway-key/verify', { alg: 'RS256', digest: 'AA', value: 'AA' }],
])('%s %s %o is a bad parameter', async (method, path, body) => {
  const answer = await call(method, path, body);
  expect([answer.status, answer.body.error]).toMatchObject([
    400,
    { code: 'BadParameter', message: expect.any(String) },
  ]);
});

test('what is planned comes as Key Vault says it', async () => {
  emulator.control.setFault({ endpoint: 'keyVault' }, { kind: 'throttle', retryAfterSeconds: 9 }, 1);
  const throttled = await call('GET', '/keys/gateway-key');
  expect([throttled.status, throttled.headers.get('retry-after'), throttled.body.error]).toMatchObject([
    429,
    '9',
    { code: 'Throttled' },
  ]);
  const unversioned = await fetch(`${emulator.httpOrigin}/keys/gateway-key`, {
    headers: { authorization: `Bearer ${officer}` },
  });
  expect(unversioned.status).toBe(400);
});
