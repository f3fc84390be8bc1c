/** The console page without a browser: how one gets in, what the forms do, what strangers get. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createBrowser, type TestBrowser } from './browser.suite.ts';
import { createEmulator, type Emulator, GATEWAY_CLIENT_SECRET } from './emulator.ts';

let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator();
});
beforeEach(() => emulator.control.reset());
afterAll(() => emulator.close());

const at = (path: string) => `${emulator.httpOrigin}/emulator${path}`;
const keyOf = (link: string) => new URL(link).searchParams.get('key') ?? '';

async function enter(): Promise<{ browser: TestBrowser; form: string; html: string }> {
  const browser = createBrowser();
  const opened = await browser.post(at('/open'), { key: keyOf(emulator.createConsoleLink()) });
  expect([opened.status, opened.headers.get('location')]).toEqual([303, '/emulator']);
  const html = await (await browser.get(at(''))).text();
  return { browser, html, form: /name="form" value="([^"]+)"/.exec(html)?.[1] ?? '' };
}

test('the link opens once, after it was looked at any number of times', async () => {
  const link = emulator.createConsoleLink();
  expect((await fetch(link)).status).toBe(200);
  expect((await fetch(link)).status).toBe(200);
  const first = await createBrowser().post(at('/open'), { key: keyOf(link) });
  const cookie = first.headers.get('set-cookie') ?? '';
  expect(cookie).toContain('HttpOnly');
  expect(cookie).toContain('SameSite=Strict');
  expect(cookie).toContain('Path=/emulator');
  expect((await createBrowser().post(at('/open'), { key: keyOf(link) })).status).toBe(403);
});

test('the control token opens too; without either there is nothing to see', async () => {
  const browser = createBrowser();
  expect(await (await browser.get(at(''))).text()).not.toContain('rita@');
  expect((await browser.post(at('/enter'), { token: 'wrong' })).status).toBe(403);
  expect((await browser.post(at('/enter'), { token: emulator.controlToken })).status).toBe(303);
  expect(await (await browser.get(at(''))).text()).toContain('rita@contoso.example');
});

test('it shows people, apps and requests, and no secret of any of them', async () => {
  await fetch(`${emulator.httpOrigin}/common/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams({ client_secret: GATEWAY_CLIENT_SECRET, scope: '<script>alert(1)</script>' }),
  });
  const { html } = await enter();
  for (const shown of ['rita@contoso.example', 'Valetkey gateway', '/common/oauth2/v2.0/token', '[secret]'])
    expect(html).toContain(shown);
  for (const hidden of [GATEWAY_CLIENT_SECRET, 'Passw0rd', emulator.controlToken, '<script>alert'])
    expect(html).not.toContain(hidden);
});

test('the forms do what they say', async () => {
  const { browser, form } = await enter();
  const act = (name: string, more: Record<string, string> = {}) =>
    browser.post(at(`/do/${name}`), { form, ...more });
  expect((await act('disableUser', { username: 'rita@contoso.example' })).status).toBe(303);
  expect(emulator.control.tenants()[0]?.users[0]?.enabled).toBe(false);
  await act('enableUser', { username: 'rita@contoso.example' });
  expect(emulator.control.tenants()[0]?.users[0]?.enabled).toBe(true);
  const fault = {
    kind: 'aadsts',
    number: '50076',
    endpoint: 'token',
    clientId: '',
    username: '',
    times: '2',
  };
  await act('setFault', fault);
  expect(emulator.control.faults()).toEqual([
    { match: { endpoint: 'token' }, fault: { kind: 'aadsts', code: 50076 }, times: 2 },
  ]);
  expect(await (await browser.get(at(''))).text()).toContain('aadsts code 50076 · endpoint token · 2 more');
  await act('clearFaults');
  expect(emulator.control.faults()).toEqual([]);
  await act('advanceClock', { seconds: '3600' });
  expect(emulator.control.clock().aheadMs).toBe(3_600_000);
  await act('rotateKeys');
  await act('revokeSessions', { username: 'rita@contoso.example' });
  await act('reset');
  expect(emulator.control.clock().aheadMs).toBe(0);
  await browser.post(at('/leave'), { form });
  expect((await act('reset')).status).toBe(403);
});

test('what makes no sense is told, and changes nothing', async () => {
  const { browser, form } = await enter();
  const act = (name: string, more: Record<string, string> = {}) =>
    browser.post(at(`/do/${name}`), { form, ...more });
  expect((await act('setFault', { kind: 'aadsts', number: '' })).status).toBe(400);
  expect((await act('setFault', { kind: 'constructor', number: '1' })).status).toBe(400);
  expect((await act('setFault', { kind: 'outage', times: '-1' })).status).toBe(400);
  expect(
    (await act('setFault', { kind: 'latency', number: '5', username: 'rita@contoso.example' })).status,
  ).toBe(400);
  expect((await act('disableUser', { username: 'nobody' })).status).toBe(400);
  expect((await act('advanceClock', { seconds: '' })).status).toBe(400);
  expect((await act('constructor')).status).toBe(404);
  expect((await browser.get(at('/nothing'))).status).toBe(404);
  expect((await fetch(at(''), { method: 'DELETE' })).status).toBe(405);
  expect(emulator.control.faults()).toEqual([]);
});

test('CVE-2025-49596: a page of another origin, another port of localhost included, does nothing', async () => {
  const { browser, form } = await enter();
  const cookie = 'entra-emulator-console=stolen';
  const send = (path: string, headers: Record<string, string>, fields: Record<string, string>) =>
    fetch(at(path), { method: 'POST', redirect: 'manual', headers, body: new URLSearchParams(fields) });
  for (const origin of ['http://localhost:1', 'https://evil.example', 'null'])
    expect((await send('/enter', { origin }, { token: emulator.controlToken })).status, origin).toBe(403);
  expect(
    (await send('/enter', { 'sec-fetch-site': 'same-site' }, { token: emulator.controlToken })).status,
  ).toBe(403);
  expect((await send('/do/reset', { cookie }, { form })).status).toBe(403);
  expect((await browser.post(at('/do/reset'), {})).status).toBe(403);
  expect((await browser.post(at('/do/reset'), { form: 'x' })).status).toBe(403);
});

test('the page runs nothing of others and is in no frame', async () => {
  const policy = (await fetch(at(''))).headers.get('content-security-policy') ?? '';
  for (const rule of [
    "default-src 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ])
    expect(policy).toContain(rule);
  expect(policy).not.toContain('unsafe');
});
