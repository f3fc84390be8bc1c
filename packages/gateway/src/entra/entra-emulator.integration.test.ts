/** The whole room against the emulator, over real TLS, with a browser of a few lines. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ok } from '@valetkey/core/base/result';
import { Secret } from '@valetkey/core/base/secret';
import type { Emulator } from '@valetkey/entra-emulator';
import {
  CONTOSO_TENANT_ID,
  createEmulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  GATEWAY_IDENTITY_PRINCIPAL_ID,
} from '@valetkey/entra-emulator';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { EntraCredential } from '../config/config.ts';
import { openSealedStore } from '../session/sealed-store.suite.ts';
import type { Store } from '../store/collection.ts';
import { createEntra } from './create-entra.ts';
import { callbackUrl, emulatedEntra } from './emulated-entra.suite.ts';
import type { Entra } from './entra.ts';
import { createSelfSigned } from './self-signed.suite.ts';

const clock = { nowMs: () => Date.now() };
const secret: EntraCredential = { kind: 'secret', secret: new Secret(GATEWAY_CLIENT_SECRET) };

let emulator: Emulator;
let folder: string;
let store: Store;

beforeAll(async () => {
  emulator = await createEmulator();
  folder = await mkdtemp(join(tmpdir(), 'valetkey-entra-'));
  await writeFile(join(folder, 'ca.pem'), emulator.caCertificatePem);
});
beforeEach(() => {
  emulator.control.reset();
  store = openSealedStore(clock);
});
afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true });
});

interface CreateOptions {
  readonly credential?: EntraCredential;
  readonly tenants?: readonly string[];
  /** Default true: the emulator's CA is trusted. */
  readonly isTrusted?: boolean;
}

function create(options: CreateOptions = {}): Entra {
  const { credential = secret, tenants = [CONTOSO_TENANT_ID], isTrusted = true } = options;
  const trust = isTrusted ? { caFile: join(folder, 'ca.pem') } : {};
  const config = emulatedEntra(emulator, { credential, tenants, ...trust });
  const world = { clock, random: randomBytes, log: pino({ level: 'silent' }) };
  return createEntra({ config, callbackUrl, store, world });
}

/** Chooses an account on the emulator's sign-in page. @returns the callback's query. */
async function chooseAccount(url: string, account: string): Promise<URLSearchParams> {
  const page = await (await fetch(url)).text();
  const action = /action="([^"]+)"/u.exec(page)?.[1];
  const ctx = /name="ctx" value="([^"]+)"/u.exec(page)?.[1];
  if (action === undefined || ctx === undefined) throw new Error(`no sign-in page: ${page.slice(0, 400)}`);
  const answer = await fetch(new URL(action, url), {
    method: 'POST',
    body: new URLSearchParams({ ctx, account }),
    redirect: 'manual',
  });
  const location = answer.headers.get('location');
  if (location === null) throw new Error(`no redirect: ${(await answer.text()).slice(0, 400)}`);
  expect(location.startsWith(`${callbackUrl}?`)).toBe(true);
  return new URL(location).searchParams;
}

async function begin(entra: Entra, account = 'rita@contoso.example', state = 'a+b/c=d&e%f') {
  const started = await entra.startSignIn({ state, prompt: 'select_account' });
  if (!started.ok) throw new Error(started.error.description);
  const query = await chooseAccount(started.value.url, account);
  expect(query.get('state')).toBe(state);
  return { code: query.get('code') ?? '', secrets: started.value.secrets };
}

async function signIn(entra: Entra, sessionId = 's1', account = 'rita@contoso.example') {
  return entra.finishSignIn({ ...(await begin(entra, account)), sessionId });
}

/** As `signIn`, for tests whose matter comes after it: without this a refusal here would look like success there. */
async function mustSignIn(entra: Entra, sessionId = 's1') {
  expect(await signIn(entra, sessionId)).toMatchObject(ok(rita));
}

const rita = {
  tenantId: CONTOSO_TENANT_ID,
  objectId: '10000000-0000-4000-8000-000000000001',
  displayName: 'Rita Reader',
  username: 'rita@contoso.example',
  roles: ['Snippets.Reader'],
};

test('A37 A48: sign-in over the emulator’s TLS, state byte for byte, and the person of the id token', async () => {
  const person = await signIn(create());
  expect(person).toMatchObject(ok(rita));
  expect(person.ok && person.value.groups).toHaveLength(2);
});

test('A15: no value of the whole flow holds a token, and the store none in the clear', async () => {
  const entra = create();
  const begun = await begin(entra);
  const values = [await entra.finishSignIn({ ...begun, sessionId: 's1' }), await entra.renew('s1')];
  for (const value of values) expect(value).toMatchObject(ok(rita));
  expect(JSON.stringify(values)).not.toMatch(/eyJ/u);
  expect(JSON.stringify(values)).not.toContain(begun.code);
});

test('D21 A57: renewal reads roles anew, on this replica and on another with the same store', async () => {
  const entra = create();
  await mustSignIn(entra);
  emulator.control.setRoles('rita@contoso.example', ['Snippets.Writer']);
  expect(await entra.renew('s1')).toMatchObject(ok({ ...rita, roles: ['Snippets.Writer'] }));
  emulator.control.setRoles('rita@contoso.example', []);
  expect(await create().renew('s1')).toMatchObject(ok({ ...rita, roles: [] }));
});

test('A17 A55: renewals at once, of one replica and of two, are one request to Entra and leave a working session', async () => {
  const [first, second] = [create(), create()];
  await mustSignIn(first);
  const results = await Promise.all([first.renew('s1'), first.renew('s1'), second.renew('s1')]);
  for (const result of results) expect(result).toMatchObject(ok(rita));
  const refreshes = emulator.control.requestLog().filter(({ path }) => path.endsWith('/token')).length - 1;
  expect(refreshes).toBe(1);
  expect(await second.renew('s1')).toMatchObject(ok(rita));
});

test('a guest comes in under the tenant that invited, and is renewed', async () => {
  const entra = create();
  const person = await signIn(entra, 's1', 'gus@partner.example');
  expect(person).toMatchObject({ ok: true, value: { tenantId: CONTOSO_TENANT_ID } });
  expect(await entra.renew('s1')).toEqual(person);
});

test('more than 200 groups: the person comes in without groups', async () => {
  const person = await signIn(create(), 's1', 'otto@contoso.example');
  expect(person).toMatchObject({ ok: true, value: { roles: ['Snippets.Reader'], groups: [] } });
});

test('keys rotated at Entra are found', async () => {
  await emulator.control.rotateKeys();
  expect(await signIn(create())).toMatchObject(ok(rita));
});

test.each([
  ['disabled', (name: string) => emulator.control.disableUser(name)],
  ['signed out everywhere', (name: string) => emulator.control.revokeSessions(name)],
])('a person who was %s at Entra is not renewed', async (_, act) => {
  const entra = create();
  await mustSignIn(entra);
  act('rita@contoso.example');
  const refused = await entra.renew('s1');
  expect(refused.ok).toBe(false);
  expect(!refused.ok && ['interaction', 'declined']).toContain(!refused.ok && refused.error.kind);
  expect(JSON.stringify(refused)).not.toMatch(/rita|eyJ/u);
});

test('A19: a code works once, and not with another verifier or nonce', async () => {
  const entra = create();
  const used = await begin(entra);
  expect((await entra.finishSignIn({ ...used, sessionId: 's1' })).ok).toBe(true);
  expect(await entra.finishSignIn({ ...used, sessionId: 's2' })).toMatchObject({
    ok: false,
    error: { code: 54005 },
  });
  const other = await begin(entra);
  const codeVerifier = used.secrets.codeVerifier;
  expect(
    (await entra.finishSignIn({ ...other, secrets: { ...other.secrets, codeVerifier }, sessionId: 's3' })).ok,
  ).toBe(false);
  const third = await begin(entra);
  const nonce = used.secrets.nonce;
  expect(
    await entra.finishSignIn({ ...third, secrets: { ...third.secrets, nonce }, sessionId: 's4' }),
  ).toMatchObject({ ok: false, error: { kind: 'invalid' } });
  for (const id of ['s2', 's3', 's4']) {
    expect(await entra.renew(id), id).toMatchObject({ ok: false, error: { kind: 'interaction' } });
  }
});

test('without trust in the CA, without a tenant, without a network: refusals', async () => {
  const untrusted = create({ isTrusted: false });
  expect(await untrusted.startSignIn({ state: 's' })).toMatchObject({
    ok: false,
    error: { kind: 'unavailable' },
  });
  const nobody = create({ tenants: ['00000000-0000-4000-8000-000000000000'] });
  expect(await nobody.startSignIn({ state: 's' })).toMatchObject({ ok: false, error: { kind: 'operator' } });
});

test('a wrong secret, a throttle, an outage', async () => {
  const wrong = create({ credential: { kind: 'secret', secret: new Secret('not-the-secret') } });
  const refused = await signIn(wrong);
  expect(refused).toMatchObject({ ok: false, error: { kind: 'operator', code: 7000215 } });
  expect(JSON.stringify(refused)).not.toContain('not-the-secret');

  const entra = create();
  await mustSignIn(entra, 's1');
  await mustSignIn(entra, 's2');
  emulator.control.setFault({ endpoint: 'token' }, { kind: 'throttle', retryAfterSeconds: 7 }, 1);
  expect(await entra.renew('s1')).toMatchObject({
    ok: false,
    error: { kind: 'unavailable', retryAfterSeconds: 7 },
  });
  emulator.control.setFault({ endpoint: 'token' }, { kind: 'outage', hangUp: true }, 1);
  expect(await entra.renew('s2')).toMatchObject({ ok: false, error: { kind: 'unavailable' } });
  expect(await entra.renew('s2')).toMatchObject(ok(rita));
});

test('A29: a workload identity token file instead of a secret, read for each request', async () => {
  const tokenFile = join(folder, 'federated-token');
  const entra = create({ credential: { kind: 'workloadIdentity', tokenFile } });
  expect(await signIn(entra)).toMatchObject({ ok: false, error: { kind: 'operator' } });
  await writeFile(tokenFile, '\n');
  expect(await signIn(entra)).toMatchObject({ ok: false, error: { kind: 'operator' } });
  const token = await federatedToken();
  await writeFile(tokenFile, `${token}\n`);
  expect(await signIn(entra)).toMatchObject(ok(rita));
  expect(await entra.renew('s1')).toMatchObject(ok(rita));
  const stranger = await emulator.control.createManagedIdentityToken(
    'somebody-else',
    'api://AzureADTokenExchange',
  );
  await writeFile(tokenFile, stranger);
  const refused = await entra.renew('s1');
  expect(refused).toMatchObject({ ok: false, error: { kind: 'operator' } });
  expect(JSON.stringify(refused)).not.toContain(stranger);
});

const federatedToken = () =>
  emulator.control.createManagedIdentityToken(GATEWAY_IDENTITY_PRINCIPAL_ID, 'api://AzureADTokenExchange');

test('A29: a managed identity instead of a secret; its token is asked for once, for the right audience', async () => {
  const asked: URL[] = [];
  const token = await federatedToken();
  let status = 200;
  const platform = createServer((request, response) => {
    asked.push(new URL(request.url ?? '', 'http://platform'));
    const expires = String(Math.floor(Date.now() / 1000) + 24 * 3600);
    response.writeHead(status, { 'content-type': 'application/json' }).end(
      status === 200
        ? JSON.stringify({
            access_token: token,
            expires_on: expires,
            token_type: 'Bearer',
            resource: '',
            client_id: '',
          })
        : JSON.stringify({ statusCode: status, message: 'no identity' }),
    );
  });
  await new Promise<void>((resolve) => {
    platform.listen(0, '127.0.0.1', resolve);
  });
  const { port } = platform.address() as AddressInfo;
  // MSAL finds the platform's endpoint in the environment, and nowhere else.
  const before = { endpoint: process.env['IDENTITY_ENDPOINT'], header: process.env['IDENTITY_HEADER'] };
  process.env['IDENTITY_ENDPOINT'] = `http://127.0.0.1:${port}/msi/token`;
  process.env['IDENTITY_HEADER'] = 'platform-secret';
  try {
    const clientId = '77aa88bb-0000-4000-8000-000000000001';
    status = 400;
    const entra = create({ credential: { kind: 'managedIdentity', clientId } });
    const refused = await signIn(entra);
    expect(refused).toMatchObject({ ok: false, error: { kind: 'operator' } });
    expect(JSON.stringify(refused)).not.toContain('platform-secret');
    status = 200;
    asked.length = 0;
    const people = await Promise.all([signIn(entra, 's1'), signIn(entra, 's2')]);
    for (const person of people) expect(person).toMatchObject(ok(rita));
    expect(await entra.renew('s1')).toMatchObject(ok(rita));
    expect(asked).toHaveLength(1);
    expect(asked[0]?.searchParams.get('resource')).toBe('api://AzureADTokenExchange');
    expect(asked[0]?.searchParams.get('client_id')).toBe(clientId);
  } finally {
    restore('IDENTITY_ENDPOINT', before.endpoint);
    restore('IDENTITY_HEADER', before.header);
    platform.close();
  }
});

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

test('A29: a certificate instead of a secret', async () => {
  const { certificatePem, privateKeyPem } = createSelfSigned(Date.now());
  const credential: EntraCredential = {
    kind: 'certificate',
    certificatePem,
    privateKeyPem: new Secret(privateKeyPem),
  };
  const entra = create({ credential });
  expect(await signIn(entra)).toMatchObject({ ok: false, error: { kind: 'operator' } });
  emulator.control.addCertificate(GATEWAY_CLIENT_ID, certificatePem);
  expect(await signIn(entra)).toMatchObject(ok(rita));
  expect(await entra.renew('s1')).toMatchObject(ok(rita));
});

test('a certificate that is none, a key of another kind: refused at start, without the key in the message', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const start = (certificatePem: string, key: string) => () =>
    create({ credential: { kind: 'certificate', certificatePem, privateKeyPem: new Secret(key) } });
  expect(start('nothing', pem)).toThrow('not a PEM certificate');
  expect(start(emulator.caCertificatePem, 'nothing')).toThrow('not an unencrypted PEM key');
  expect(start(emulator.caCertificatePem, pem)).toThrow('not RSA');
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  expect(start(emulator.caCertificatePem, rsa.export({ format: 'pem', type: 'pkcs8' }).toString())).toThrow(
    'does not belong',
  );
});
