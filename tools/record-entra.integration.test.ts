/** The recorder against the emulator, as if that were somebody's tenant. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmulator, type Emulator } from '@valetkey/entra-emulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { probes } from './entra-probes.ts';
import { compareFolder, recordAll, targetOf, writeRecordings } from './record-entra.ts';
import { createRedactor, type Json } from './redact-recording.ts';
import { compareRecordings, type Recording } from './recordings.ts';

let emulator: Emulator;
let recordings: Recording[];
let userToken: string;
let folder: string;

beforeAll(async () => {
  emulator = await createEmulator();
  userToken = await obtainUserToken();
  recordings = await recordAll(targetOf(emulator, userToken));
  folder = mkdtempSync(join(tmpdir(), 'record-entra-'));
  writeRecordings(folder, recordings);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await emulator.close();
});

/** A Graph token of Rita's: by the login page, as a browser does it. */
async function obtainUserToken(): Promise<string> {
  const target = targetOf(emulator);
  const base = `${target.authority}/${target.tenant}/oauth2/v2.0`;
  const query = new URLSearchParams({
    client_id: target.clientId,
    redirect_uri: target.redirectUri,
    response_type: 'code',
    scope: 'openid User.Read',
  });
  const page = await (await fetch(`${base}/authorize?${query.toString()}`)).text();
  const ctx = /name="ctx" value="([^"]+)"/.exec(page)?.[1] ?? '';
  const action = /action="([^"]+)"/.exec(page)?.[1] ?? '';
  const chosen = await fetch(new URL(action, target.authority), {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ ctx, account: 'rita@contoso.example' }),
  });
  const code = new URL(chosen.headers.get('location') ?? '').searchParams.get('code') ?? '';
  const redeemed = await fetch(`${base}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: target.clientId,
      client_secret: target.clientSecret ?? '',
      redirect_uri: target.redirectUri,
      code,
    }),
  });
  return ((await redeemed.json()) as { access_token: string }).access_token;
}

test('every probe is asked when the means are there, and no other', async () => {
  expect(recordings.map(({ probe }) => probe)).toEqual(probes.map(({ name }) => name));
  const poor = await recordAll({ ...targetOf(emulator), clientSecret: undefined });
  const needy = probes.filter(({ needs }) => needs !== undefined).map(({ name }) => name);
  expect(poor.some(({ probe }) => needy.includes(probe))).toBe(false);
});

test('a recording tells what Entra answers: codes, errors, members', () => {
  const find = (name: string) => recordings.find(({ probe }) => probe === name);
  expect(find('token: wrong secret')).toMatchObject({
    status: 401,
    body: {
      error: 'invalid_client',
      error_description:
        'AADSTS7000215: <sentence> Trace ID: <guid-1> Correlation ID: <guid-2> Timestamp: <time-1>',
      error_codes: [7000215],
      trace_id: expect.stringMatching(/^<text-\d+>$/),
    },
  });
  expect(find('authorize: foreign redirect')).toMatchObject({ body: { page: ['AADSTS50011'] } });
  expect(find('authorize: no session, no prompt')?.headers['location']).toContain('error=login_required');
  expect(find('keys')).toMatchObject({ body: { keys: [{ kty: 'RSA', use: 'sig' }, {}] } });
  expect(find('graph: me')).toMatchObject({
    status: 200,
    body: { displayName: expect.stringMatching(/^<text/) },
  });
});

test('nothing of the tenant is left: no id, name, domain, secret, token or key', () => {
  const written = readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
  const target = targetOf(emulator, userToken);
  const [tenant] = emulator.seed.tenants;
  const people =
    tenant?.users.flatMap((user) => [user.objectId, user.username, user.displayName, user.password]) ?? [];
  const apps = tenant?.apps.flatMap((app) => [app.displayName, app.servicePrincipalId, app.clientId]) ?? [];
  const hosts = [target.authority, ...target.aliases].map((origin) => new URL(origin).host);
  const kept = [
    target.tenant,
    target.clientSecret,
    target.redirectUri,
    userToken,
    tenant?.domain,
    tenant?.displayName,
  ];
  for (const value of [...people, ...apps, ...hosts, ...kept]) expect(written).not.toContain(value);
  expect(written).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/i);
  expect(written).not.toMatch(/eyJ|\w@\w|\d{4}-\d\d-\d\d/);
  expect(written).not.toMatch(/[A-Za-z0-9_+/]{44,}/);
});

test.each<readonly [string, Json, readonly string[]]>([
  [
    'a name in a sentence',
    { error_description: "AADSTS50011: 'Contoso HR' is not https://hr.contoso.com" },
    ['HR'],
  ],
  ['a guid', { error_description: 'Trace ID: 8f5c31b2-1a2b-4c3d-8e5f-a1b2c3d4e5f6' }, ['8f5c31b2']],
  ['a mail address', { message: 'User mia@fabrikam.com is blocked' }, ['mia', 'fabrikam']],
  ['a domain of a tenant', { message: 'in fabrikam.onmicrosoft.com' }, ['fabrikam']],
  ['an address', { message: 'from 203.0.113.9' }, ['203.0']],
  ['a member nobody listed', { favouriteColour: 'teal', deep: [{ x: 'teal' }] }, ['teal']],
  ['a protocol word in the wrong size', { code: 'x'.repeat(80) }, ['xxxxx'.repeat(10)]],
  ['a foreign link', { link: 'https://fabrikam.com/a?b=c' }, ['fabrikam']],
  ['a token', { message: 'eyJhbGciOiJub25lIn0.eyJvaWQiOiIxIn0.' }, ['eyJ']],
  ['a name as a member', { '8f5c31b2-1a2b-4c3d-8e5f-a1b2c3d4e5f6': 1 }, ['8f5c31b2']],
])('%s does not stay', (_, value, gone) => {
  const redacted = JSON.stringify(createRedactor(targetOf(emulator)).value(value));
  for (const word of gone) expect(redacted).not.toContain(word);
});

test('the same value has the same placeholder, another has another', () => {
  const redactor = createRedactor(targetOf(emulator));
  const [one, other, again] = ['a', 'b', 'a'].map((name) => redactor.value({ name }));
  expect(one).toEqual(again);
  expect(one).not.toEqual(other);
});

test('the emulator does not differ from itself, and a difference is named', async () => {
  const emulated = await recordAll(targetOf(emulator, userToken));
  expect(compareFolder(folder, emulated)).toEqual([]);
  const real: Recording = {
    probe: 'p',
    status: 400,
    headers: { 'retry-after': '<there>' },
    body: { error: 'invalid_grant', error_codes: [1], suberror: 'x', keys: [{ n: 'a', cert: 'b' }] },
  };
  const other: Recording = {
    probe: 'p',
    status: 401,
    headers: {},
    body: { error: 'invalid_client', error_codes: [1], timestamp: 't', keys: [{ n: 1 }] },
  };
  expect(compareRecordings(real, other)).toEqual([
    'p: status 400 at Entra, 401 in the emulator',
    'p: only Entra has the header retry-after',
    'p: only Entra has the member suberror',
    'p: only the emulator has the member timestamp',
    'p: error is "invalid_grant" at Entra, "invalid_client" in the emulator',
    'p: only Entra has the member keys[].cert',
    'p: keys[].n is string at Entra, number in the emulator',
  ]);
});
