/** Tokens of a signed-in person for an API, against the emulator: both flows, and Conditional Access in the way. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CONTOSO_TENANT_ID,
  createEmulator,
  defaultSeed,
  type Emulator,
  FACTOR_CODE,
  GATEWAY_CLIENT_ID,
  PARTNER_TENANT_ID,
  PAYROLL_API_CLIENT_ID,
  SNIPPETS_API_CLIENT_ID,
  SNIPPETS_API_URI,
} from '@valetkey/entra-emulator';
import { decodeJwt } from 'jose';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openSealedStore } from '../session/sealed-store.suite.ts';
import type { Store } from '../store/collection.ts';
import { type ClosableEntra, createEntra } from './create-entra.ts';
import { createDelegatedTokens } from './delegated-tokens.ts';
import { callbackUrl, emulatedEntra } from './emulated-entra.suite.ts';
import type { PersonToken, TokenOptions } from './entra.ts';
import { openOutbound } from './outbound.ts';

const clock = { nowMs: () => Date.now() };
const snippets = [`${SNIPPETS_API_URI}/snippets.use`];
const payroll = [`api://${PAYROLL_API_CLIENT_ID}/payroll.read`];
const rita = '10000000-0000-4000-8000-000000000001';

let emulator: Emulator;
let folder: string;
let store: Store;
let entra: ClosableEntra;

beforeAll(async () => {
  // Of several tenants, so that an app of one and an app of many can both be tried.
  const tenants = defaultSeed.tenants.map((tenant) => ({
    ...tenant,
    apps: tenant.apps.map((app) =>
      app.clientId === GATEWAY_CLIENT_ID ? { ...app, multiTenant: true } : app,
    ),
  }));
  emulator = await createEmulator({ seed: { ...defaultSeed, tenants } });
  folder = await mkdtemp(join(tmpdir(), 'valetkey-person-tokens-'));
  await writeFile(join(folder, 'ca.pem'), emulator.caCertificatePem);
});
beforeEach(() => {
  emulator.control.reset();
  store = openSealedStore(clock);
  entra = create();
});
afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true });
});

function create(tenants = [CONTOSO_TENANT_ID]): ClosableEntra {
  return createEntra({
    config: emulatedEntra(emulator, { tenants, caFile: join(folder, 'ca.pem') }),
    callbackUrl,
    store,
    world: { clock, random: randomBytes, log: pino({ level: 'silent' }) },
  });
}

/** Fills in the emulator's forms one after the other, until it leads back to us. */
async function signIn(more: { claims?: string; scopes?: string[] } = {}, sessionId = 's1') {
  const started = await entra.startSignIn({ state: 'state', ...more });
  if (!started.ok) throw new Error(started.error.description);
  let answer = await fetch(started.value.url, { redirect: 'manual' });
  const steps: string[] = [];
  for (let left = 5; !answer.headers.has('location'); left -= 1) {
    const page = await answer.text();
    const action = /action="([^"]+)"/u.exec(page)?.[1];
    const ctx = /name="ctx" value="([^"]+)"/u.exec(page)?.[1];
    if (left === 0 || action === undefined || ctx === undefined) throw new Error(page.slice(0, 400));
    const step: Record<string, string> = page.includes('name="otc"')
      ? { otc: FACTOR_CODE }
      : { account: 'rita@contoso.example' };
    steps.push(...Object.keys(step));
    const body = new URLSearchParams({ ctx, ...step });
    answer = await fetch(new URL(action, started.value.url), { method: 'POST', body, redirect: 'manual' });
  }
  const code = new URL(answer.headers.get('location') ?? '').searchParams.get('code') ?? '';
  const done = await entra.finishSignIn({ code, secrets: started.value.secrets, sessionId });
  expect(done).toMatchObject({ ok: true, value: { objectId: rita } });
  return steps;
}

async function mustHave(scopes: string[], options?: TokenOptions, sessionId = 's1'): Promise<PersonToken> {
  const token = await entra.tokenFor(sessionId, scopes, options);
  if (!token.ok) throw new Error(`${token.error.code} ${token.error.description}`);
  return token.value;
}

const claimsOf = ({ accessToken }: PersonToken) => decodeJwt(accessToken.reveal());
const asked = () => emulator.control.requestLog().filter(({ path }) => path.endsWith('/token'));

test('A15 A16: the person’s own token for an API, by refresh: asked for once, then at hand', async () => {
  await signIn();
  const before = asked().length;
  const tokens = await Promise.all([mustHave(snippets), mustHave(snippets), mustHave(snippets)]);
  expect(claimsOf(tokens[0])).toMatchObject({
    aud: SNIPPETS_API_CLIENT_ID,
    oid: rita,
    azp: GATEWAY_CLIENT_ID,
    scp: 'snippets.use',
  });
  expect(entra.tokenFor('s1', snippets)).not.toBeInstanceOf(Promise);
  expect(asked().slice(before)).toMatchObject([
    { form: { grant_type: 'refresh_token', scope: expect.stringContaining(snippets[0] ?? '') } },
  ]);
  expect(JSON.stringify(tokens)).not.toMatch(/eyJ/u);
});

test('the person’s own token for an API, on behalf of: with a token of the gateway itself as assertion', async () => {
  await signIn();
  const before = asked().length;
  const token = await mustHave(snippets, { flow: 'onBehalfOf' });
  expect(claimsOf(token)).toMatchObject({ aud: SNIPPETS_API_CLIENT_ID, oid: rita, azp: GATEWAY_CLIENT_ID });
  expect(asked().slice(before)).toMatchObject([
    { form: { grant_type: 'refresh_token' } },
    { form: { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer' } },
  ]);
  await mustHave(snippets, { flow: 'onBehalfOf' });
  expect(asked()).toHaveLength(before + 2);
});

test('a token on behalf of whoever a presented token stands for; a token for somebody else’s API is refused', async () => {
  await signIn();
  const assertion = (await mustHave([`${GATEWAY_CLIENT_ID}/access_as_user`])).accessToken;
  const outbound = openOutbound({ caFile: join(folder, 'ca.pem') });
  const delegated = createDelegatedTokens({ config: emulatedEntra(emulator), world: { clock }, outbound });
  const request = { tenantId: CONTOSO_TENANT_ID, scopes: snippets };
  const token = await delegated.tokenFor('presented-1', { ...request, assertion });
  expect(token.ok && claimsOf(token.value)).toMatchObject({ aud: SNIPPETS_API_CLIENT_ID, oid: rita });
  const foreign = (await mustHave(snippets)).accessToken;
  const refused = await delegated.tokenFor('presented-2', { ...request, assertion: foreign });
  expect(refused).toMatchObject({ ok: false, error: { code: 500131 } });
  expect(JSON.stringify(refused)).not.toMatch(/eyJ/u);
  await outbound.close();
});

test.each(['refresh', 'onBehalfOf'] as const)(
  'Conditional Access in the way of %s: refused with the claims that the next sign-in carries, and then it goes on',
  async (flow) => {
    expect(await signIn()).toEqual(['account']);
    const refused = await entra.tokenFor('s1', payroll, { flow });
    expect(refused).toMatchObject({ ok: false, error: { kind: 'interaction', code: 50076 } });
    const claims = refused.ok ? '' : (refused.error.claims ?? '');
    expect(JSON.parse(claims)).toMatchObject({ access_token: { capolids: { essential: true } } });

    expect(await signIn({ claims }, 's2')).toEqual(['account', 'otc']);
    expect(claimsOf(await mustHave(payroll, { flow }, 's2'))).toMatchObject({ aud: PAYROLL_API_CLIENT_ID });
  },
);

test('a sign-in that names the API’s scopes is asked for what Conditional Access wants at once', async () => {
  expect(await signIn({ scopes: payroll })).toEqual(['account', 'otc']);
  expect(claimsOf(await mustHave(payroll))).toMatchObject({ scp: 'payroll.read' });
});

test('a claims challenge of the API goes to Entra, which answers or wants the person', async () => {
  await signIn();
  await mustHave(snippets);
  const nbf = JSON.stringify({ access_token: { nbf: { essential: true, value: '1600000000' } } });
  const before = asked().length;
  await mustHave(snippets, { claims: nbf });
  const [sent] = asked().slice(before);
  expect(JSON.parse(sent?.form['claims'] ?? '{}')).toMatchObject({
    access_token: { nbf: { value: '1600000000' }, xms_cc: { values: ['CP1'] } },
  });
  const context = JSON.stringify({ access_token: { acrs: { essential: true, value: 'c1' } } });
  const refused = await entra.tokenFor('s1', snippets, { claims: context });
  expect(refused).toMatchObject({ ok: false, error: { kind: 'interaction', code: 50076 } });
  expect(refused.ok ? '' : refused.error.claims).toContain('c1');
  expect(await signIn({ claims: context }, 's2')).toEqual(['account', 'otc']);
  await mustHave(snippets, { claims: context }, 's2');
});

test('what is forgotten is gone, here and in the store; who was revoked at Entra gets none', async () => {
  await signIn();
  await mustHave(snippets);
  entra.forgetHere('s1');
  const before = asked().length;
  await mustHave(snippets);
  expect(asked()).toHaveLength(before + 1);
  entra.forgetHere('s1');
  emulator.control.revokeSessions('rita@contoso.example');
  expect(await entra.tokenFor('s1', snippets)).toMatchObject({ ok: false, error: { kind: 'interaction' } });
  await entra.forget('s1');
  expect(await entra.tokenFor('s1', snippets)).toMatchObject({ ok: false, error: { kind: 'interaction' } });
});

test('a scope that nobody knows is the operator’s matter, a throttle is waited out', async () => {
  await signIn();
  expect(await entra.tokenFor('s1', ['api://nowhere/use'])).toMatchObject({
    ok: false,
    error: { kind: 'operator', code: 500011 },
  });
  emulator.control.setFault({ endpoint: 'token' }, { kind: 'throttle', retryAfterSeconds: 7 }, 1);
  const held = { ok: false, error: { kind: 'unavailable', retryAfterSeconds: expect.any(Number) } };
  expect(await entra.tokenFor('s1', snippets)).toMatchObject(held);
  const before = asked().length;
  expect(await entra.tokenFor('s1', payroll), 'whichever the API').toMatchObject(held);
  expect(asked()).toHaveLength(before);
});

test('an app of several tenants asks the tenant that the person belongs to', async () => {
  entra = create([CONTOSO_TENANT_ID, PARTNER_TENANT_ID]);
  await signIn();
  for (const flow of ['refresh', 'onBehalfOf'] as const) await mustHave(snippets, { flow });
  const paths = asked().map(({ path }) => path.split('/')[1]);
  expect(new Set(paths.slice(1))).toEqual(new Set([CONTOSO_TENANT_ID]));
});
