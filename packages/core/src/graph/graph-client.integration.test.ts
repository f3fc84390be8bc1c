/** The client before the emulated Graph, side by side with Microsoft's own, faults included. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Client, GraphError } from '@microsoft/microsoft-graph-client';
import {
  CONTOSO_TENANT_ID,
  createEmulator,
  DESKTOP_CLIENT_ID,
  type Emulator,
} from '@valetkey/entra-emulator';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Secret } from '../base/secret.ts';
import { sendBatch } from './batch.ts';
import { createGraphClient, type GraphCaller, type GraphClient } from './graph-client.ts';
import { checkMemberships, listMemberships } from './memberships.ts';
import { getProfile } from './profile.ts';

const clock = { nowMs: Date.now };
let emulator: Emulator;
let graph: GraphClient;
let theirs: Client;
let otto: GraphCaller;
const waits: number[] = [];

beforeAll(async () => {
  emulator = await createEmulator();
  // Their client gives a token to https alone.
  setDefaultCACertificates([...getCACertificates('default'), emulator.caCertificatePem]);
  const origin = emulator.httpsOrigin;
  graph = createGraphClient({
    origin,
    allowOrigins: [origin],
    fetch,
    clock,
    random: (size) => randomBytes(size),
    wait: async (ms, signal) => {
      waits.push(ms);
      await delay(Math.min(ms, 20), undefined, signal === undefined ? {} : { signal });
    },
  });
  const token = await signIn('otto@contoso.example');
  otto = { person: 'contoso.otto', token: new Secret(token) };
  theirs = Client.init({
    baseUrl: origin,
    customHosts: new Set(['localhost']),
    authProvider: (done) => done(null, token),
  });
});
afterAll(() => emulator.close());
afterEach(() => {
  emulator.control.clearFaults();
  waits.length = 0;
});

/** Through the pages, over plain http. */
async function signIn(username: string): Promise<string> {
  const base = `${emulator.httpOrigin}/${CONTOSO_TENANT_ID}`;
  const redirect_uri = 'http://localhost';
  const query = new URLSearchParams({
    client_id: DESKTOP_CLIENT_ID,
    response_type: 'code',
    redirect_uri,
    scope: 'User.Read',
  });
  const page = await (await fetch(`${base}/oauth2/v2.0/authorize?${query}`)).text();
  const ctx = /name="ctx" value="([^"]+)"/.exec(page)?.[1] ?? '';
  const action = /action="([^"]+)"/.exec(page)?.[1] ?? '';
  const chosen = await fetch(action, {
    method: 'POST',
    body: new URLSearchParams({ ctx, account: username }),
    redirect: 'manual',
  });
  const code = new URL(chosen.headers.get('location') ?? '').searchParams.get('code') ?? '';
  const form = { grant_type: 'authorization_code', client_id: DESKTOP_CLIENT_ID, code, redirect_uri };
  const answer = await fetch(`${base}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams(form),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

test('side by side: /me with $select', async () => {
  const select = ['id', 'displayName', 'userPrincipalName', 'jobTitle'] as const;
  const [ours, other] = [
    await getProfile(graph, otto, { select }),
    (await theirs
      .api('/me')
      .select([...select])
      .get()) as Record<string, unknown>,
  ];
  expect(ours).toEqual({ ok: true, value: Object.fromEntries(select.map((name) => [name, other[name]])) });
});

test('side by side: the groups of an overage, all of them and those of a list', async () => {
  const all = (await theirs.api('/me/getMemberObjects').post({ securityEnabledOnly: false })) as {
    value: string[];
  };
  const ours = await listMemberships(graph, otto);
  expect(ours).toEqual({ ok: true, value: all.value });
  expect(all.value.length).toBeGreaterThan(200);

  const asked = [...all.value.slice(0, 45), '70000000-ffff-4000-8000-000000000000'];
  const checked = await checkMemberships(graph, otto, asked);
  expect(checked).toEqual({ ok: true, value: all.value.slice(0, 45) });
});

test('side by side: a refusal has the same status and code', async () => {
  const other = await theirs
    .api('/users/nobody@contoso.example')
    .get()
    .catch((error: unknown) => error);
  const ours = await graph.request(otto, { path: '/users/nobody@contoso.example' });
  if (!(other instanceof GraphError)) throw other;
  expect(ours).toMatchObject({ ok: false, error: { status: other.statusCode, code: other.code } });
});

test('A26: side by side: both wait out 429 and 503, and we keep the time that Graph names', async () => {
  for (const ask of [
    async () => (await getProfile(graph, otto, { select: ['id'] })).ok,
    async () => (await theirs.api('/me').select('id').get()) !== undefined,
  ]) {
    emulator.control.setFault({ endpoint: 'graph' }, { kind: 'throttle', retryAfterSeconds: 1 }, 1);
    emulator.control.setFault(
      { endpoint: 'graph' },
      { kind: 'status', status: 503, retryAfterSeconds: 1 },
      1,
    );
    expect(await ask()).toBe(true);
  }
  expect(waits).toEqual([1000, 1000]);
});

test('A26: an outage that lasts is a retryable refusal', async () => {
  emulator.control.setFault({ endpoint: 'graph' }, { kind: 'outage', hangUp: true });
  const result = await getProfile(graph, otto);
  expect(result).toMatchObject({ ok: false, error: { kind: 'unavailable', isRetryable: true } });
  expect(waits).toHaveLength(3);
});

test('a claims challenge is passed up as a value', async () => {
  const claims = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}';
  emulator.control.setFault({ endpoint: 'graph' }, { kind: 'aadsts', code: 50173, claims }, 1);
  expect(await getProfile(graph, otto)).toMatchObject({ ok: false, error: { kind: 'claims', claims } });
});

test('a batch of more than twenty: each item has its own outcome, a throttled one is asked again', async () => {
  const items = Array.from({ length: 23 }, (_, index) => ({
    id: `i${index}`,
    url: index === 3 ? '/users/nobody@contoso.example' : '/me?$select=id',
  }));
  emulator.control.setFault({ endpoint: 'graph' }, { kind: 'throttle', retryAfterSeconds: 2 }, 1);
  const batch = await sendBatch(graph, otto, items, { clock });
  if (!batch.ok) throw new Error(batch.error.description);
  expect(batch.value.size).toBe(23);
  expect(batch.value.get('i3')).toMatchObject({ ok: false, error: { kind: 'not-found' } });
  expect([...batch.value.values()].filter((one) => one.ok)).toHaveLength(22);
  expect(waits).toEqual([2000]);
});

test('a batch whose items do not come through ends, with what was said', async () => {
  emulator.control.setFault({ endpoint: 'graph' }, { kind: 'throttle', retryAfterSeconds: 1 });
  const batch = await sendBatch(graph, otto, [{ id: '1', url: '/me' }], { clock });
  expect(batch.ok && batch.value.get('1')).toMatchObject({ ok: false, error: { kind: 'throttled' } });
});

test('two items of one id are a fault of the program', async () => {
  const twins = ['a', 'A'].map((id) => ({ id, url: '/me' }));
  await expect(sendBatch(graph, otto, twins, { clock })).rejects.toBeInstanceOf(RangeError);
});
