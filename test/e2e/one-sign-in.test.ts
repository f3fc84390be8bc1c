/** What an operator reads of one sign-in afterwards: every record of it carries one id, whatever became of it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpBrowser, signInOverHttp } from '../support/http-person.ts';
import {
  authorizeRequest,
  callMcp,
  obtainTokens,
  redeemCode,
  refresh,
  registerClient,
} from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;

beforeAll(async () => {
  product = await startProduct();
});
afterAll(() => product.close());

const recordsOf = async (clientId: string) =>
  (await product.readAudit()).filter((record) => record['clientId'] === clientId);
const eventsOf = (records: Record<string, unknown>[]) => records.map(({ event }) => String(event));

test('A25: one id joins authorize, consent, redirect, callback, token, refresh and calls of a sign-in', async () => {
  const { clientId, accessToken, refreshToken } = await obtainTokens(product, product.people.reader);
  await callMcp(product.mcpUrl, accessToken, 'tools/list');
  await refresh(product, clientId, refreshToken);
  await expect.poll(async () => eventsOf(await recordsOf(clientId)).at(-1)).toBe('token.refresh');
  const [registered, ...records] = await recordsOf(clientId);
  expect(registered).toMatchObject({ event: 'client.register' });
  expect(eventsOf(records)).toEqual([
    'authorize',
    'consent.allow',
    'entra.redirect',
    'callback',
    'authorize',
    'token',
    'mcp.call',
    'token.refresh',
  ]);
  const ids = new Set(records.map(({ signInId }) => signInId));
  expect(ids.size).toBe(1);
  expect([...ids][0]).toMatch(/^[\w-]{22}$/);
});

test('a second sign-in of the same client has another id, and its remembered consent is told', async () => {
  const clientId = await registerClient(product);
  const browser = createHttpBrowser();
  const options = {
    person: product.people.reader,
    gateway: product.url,
    emulator: product.emulator.httpOrigin,
  };
  for (const remember of [true, false]) {
    await signInOverHttp(browser, authorizeRequest(product, clientId).url, { ...options, remember });
  }
  const redirects = async () => (await recordsOf(clientId)).filter(({ event }) => event === 'entra.redirect');
  await expect.poll(async () => (await redirects()).length).toBe(2);
  expect((await redirects()).map(({ reason }) => reason)).toEqual(['consent_given', 'consent_remembered']);
  expect(new Set((await redirects()).map(({ signInId }) => signInId)).size).toBe(2);
});

test('a code that is refused, and a client that Entra turns away, stand under the id of their sign-in', async () => {
  const clientId = await registerClient(product);
  const request = authorizeRequest(product, clientId);
  const left = await signInOverHttp(createHttpBrowser(), request.url, {
    person: product.people.reader,
    gateway: product.url,
    emulator: product.emulator.httpOrigin,
  });
  const code = new URL(left.location ?? '').searchParams.get('code') ?? '';
  const verifier = 'x'.repeat(43);
  expect((await redeemCode(product, { clientId, code, verifier })).status).toBe(400);
  await expect.poll(async () => eventsOf(await recordsOf(clientId)).at(-1)).toBe('token');
  const [began, ...others] = (await recordsOf(clientId)).slice(1);
  const refused = others.at(-1);
  expect(refused).toMatchObject({ event: 'token', outcome: 'denied', reason: 'invalid_grant' });
  expect(refused?.['signInId']).toBe(began?.['signInId']);
});

test('a person whom Entra refuses: the callback tells the client, the reason and the sign-in', async () => {
  const clientId = await registerClient(product);
  await expect(obtainTokens(product, product.people.disabled, { clientId })).rejects.toThrow();
  await expect.poll(async () => (await recordsOf(clientId)).length).toBeGreaterThan(3);
  const [began, ...others] = (await recordsOf(clientId)).slice(1);
  for (const record of others) expect(record['signInId']).toBe(began?.['signInId']);
});

test('Entra out of reach before the redirect is no callback: the record names the step, the client and the sign-in', async () => {
  // A gateway of its own: this one has not asked Entra for its addresses yet, and never gets them.
  const fresh = await startProduct();
  try {
    const clientId = await registerClient(fresh);
    await fresh.emulator.close();
    const answer = await signInOverHttp(createHttpBrowser(), authorizeRequest(fresh, clientId).url, {
      person: fresh.people.reader,
      gateway: fresh.url,
      emulator: fresh.emulator.httpOrigin,
    });
    expect(answer.status).toBe(503);
    await expect.poll(async () => (await fresh.readAudit()).at(-1)?.['event']).toBe('entra.redirect');
    const records = await fresh.readAudit();
    expect(records.at(-1)).toMatchObject({
      outcome: 'error',
      reason: 'unavailable',
      clientId,
      backend: 'snippets',
    });
    expect(records.at(-1)?.['signInId']).toBe(
      records.find(({ event }) => event === 'authorize')?.['signInId'],
    );
    expect(records.some(({ event }) => event === 'callback')).toBe(false);
  } finally {
    await fresh.close().catch(() => {});
  }
});
