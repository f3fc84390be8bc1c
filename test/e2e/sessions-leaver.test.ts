/** Who leaves, or loses a role, is out within the configured time, without signing out: calls and open streams. */
import {
  CONTOSO_TENANT_ID,
  defaultSeed,
  GATEWAY_CLIENT_ID,
  GRAPH_CLIENT_ID,
  type Seed,
} from '@valetkey/entra-emulator';
import { afterEach, expect, test } from 'vitest';
import { openEventStream } from '../support/event-stream.ts';
import { callMcp, obtainTokens, refresh } from '../support/oauth-client.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(...options: Parameters<typeof startReplicas>): Promise<Replicas> {
  const product = await startReplicas(...options);
  closers.push(() => product.close());
  return product;
}

const call = async (product: Replicas, token: unknown) =>
  (await callMcp(product.mcpUrl, String(token), 'tools/list')).status;

const reasons = async (product: Replicas) =>
  (await product.readAudit()).map(({ event, reason }) => `${String(event)} ${String(reason)}`);

const checkSeconds = 60;
const config = { leaver: { checkSeconds } };

test('A18 A57: disabled: refused when the check is due, and not before the next call of that time; audited', async () => {
  const product = await start({ config });
  const { username } = product.person('reader');
  const { accessToken } = await obtainTokens(product, product.person('reader'));
  product.emulator.control.disableUser(username);
  expect(await call(product, accessToken)).toBe(200);
  product.time.aheadMs += checkSeconds * 1000;
  expect(await call(product, accessToken)).toBe(401);
  await expect.poll(() => reasons(product), { timeout: 3000 }).toContain('session.revoke AADSTS50057');
});

test('A57 A24: a lost role is lost within the time: the client refreshes by itself, and gets 403 with the new token', async () => {
  const product = await start({ config });
  const person = product.person('writer');
  const { accessToken, clientId, refreshToken } = await obtainTokens(product, person);
  product.emulator.control.setRoles(person.username, []);
  product.time.aheadMs += checkSeconds * 1000;
  expect(await call(product, accessToken)).toBe(401);
  const renewed = await refresh(product, clientId, refreshToken);
  expect(renewed.status).toBe(200);
  expect(await call(product, renewed.body['access_token'])).toBe(403);
});

test('A57 A17: while Entra is away people go on working, and its refusal is heard as soon as it is back', async () => {
  const product = await start({ config });
  const person = product.person('reader');
  const { accessToken } = await obtainTokens(product, person);
  product.emulator.control.setFault({ endpoint: 'token' }, { kind: 'status', status: 503 });
  product.time.aheadMs += checkSeconds * 1000;
  expect(await call(product, accessToken)).toBe(200);
  product.emulator.control.clearFaults();
  product.emulator.control.revokeSessions(person.username);
  product.time.aheadMs += checkSeconds * 1000;
  expect(await call(product, accessToken)).toBe(401);
});

test('A56 A57: a round of the check cuts the stream of a leaver who calls nothing', async () => {
  const product = await start({ config: { leaver: { checkSeconds: 5 } } });
  const person = product.person('reader');
  const { accessToken } = await obtainTokens(product, person);
  const stream = await openEventStream(product.mcpUrl, accessToken);
  const startedMs = performance.now();
  product.emulator.control.disableUser(person.username);
  await stream.ended;
  const tookMs = performance.now() - startedMs;
  process.stdout.write(`disabled to stream cut, checkSeconds 5: ${Math.round(tookMs)} ms\n`);
  expect(tookMs).toBeLessThan(6500);
});

const withDirectory: Seed = {
  tenants: defaultSeed.tenants.map((tenant) =>
    tenant.tenantId === CONTOSO_TENANT_ID ? { ...tenant, apps: tenant.apps.map(grantDirectory) } : tenant,
  ),
};

function grantDirectory(app: Seed['tenants'][number]['apps'][number]) {
  if (app.clientId !== GRAPH_CLIENT_ID) return app;
  const applicationGrants = [
    ...(app.applicationGrants ?? []),
    { clientId: GATEWAY_CLIENT_ID, roles: ['User.Read.All'] },
  ];
  return { ...app, applicationGrants };
}

test('A57: with Graph, an idle leaver is found too: sessions gone, audited, on both replicas', async () => {
  const product = await start({
    config: { leaver: { checkSeconds: 6, graph: true } },
    seed: withDirectory,
  });
  const gone = await obtainTokens(product, product.person('reader'));
  const stays = await obtainTokens(product, product.person('writer'));
  // The feed says from when on changes count: it has to have asked once.
  await expect
    .poll(() => product.emulator.control.requestLog().filter(({ path }) => path.includes('/delta')).length, {
      timeout: 5000,
    })
    .toBeGreaterThan(0);
  product.emulator.control.disableUser(product.person('reader').username);
  const sessions = () => product.administer((each) => each.sessions.list({ client: gone.clientId }));
  await expect.poll(async () => (await sessions()).length, { timeout: 8000 }).toBe(0);
  await expect.poll(() => reasons(product), { timeout: 3000 }).toContain('session.revoke account_disabled');
  expect(await product.administer((each) => each.sessions.list({ client: stays.clientId }))).toHaveLength(1);
});

const deltaRequests = (product: Replicas, status: number) =>
  product.emulator.control
    .requestLog()
    .filter((entry) => entry.path.includes('/delta') && entry.status === status).length;
const sessionsOf = (product: Replicas, clientId: string) =>
  product.administer((each) => each.sessions.list({ client: clientId }));
const following = { config: { leaver: { checkSeconds: 3, graph: true } }, seed: withDirectory };

test('A57: when Graph has forgotten where the gateway left off, everybody is asked about: who left meanwhile is out', async () => {
  const product = await start(following);
  const { control } = product.emulator;
  const gone = await obtainTokens(product, product.person('reader'));
  const stays = await obtainTokens(product, product.person('writer'));
  await expect.poll(() => deltaRequests(product, 200), { timeout: 5000 }).toBeGreaterThan(0);
  // The next look gets 410, so the change is in no link that the gateway has; and Entra is away when it asks first.
  control.disableUser(product.person('reader').username);
  control.setFault({ endpoint: 'graph' }, { kind: 'status', status: 410 }, 1);
  control.setFault({ endpoint: 'token' }, { kind: 'status', status: 503 }, 2);
  await expect.poll(async () => (await sessionsOf(product, gone.clientId)).length, { timeout: 8000 }).toBe(0);
  expect(deltaRequests(product, 410)).toBe(1);
  await expect.poll(() => reasons(product), { timeout: 3000 }).toContain('session.revoke AADSTS50057');
  expect(await sessionsOf(product, stays.clientId)).toHaveLength(1);
  expect((await refresh(product, stays.clientId, stays.refreshToken)).status).toBe(200);
});

test.each([
  ['ten minutes behind', -600_000],
  ['right', 0],
  ['ten minutes ahead', 600_000],
])(
  'A57: signed out everywhere and in again: the old session goes, the new one stays, with clocks that are %s',
  async (_name, aheadMs) => {
    const product = await start(following);
    product.time.aheadMs = aheadMs;
    const person = product.person('reader');
    const old = await obtainTokens(product, person);
    await expect.poll(() => deltaRequests(product, 200), { timeout: 5000 }).toBeGreaterThan(0);
    product.emulator.control.revokeSessions(person.username);
    product.emulator.control.advanceClock(2);
    const fresh = await obtainTokens(product, person);
    await expect
      .poll(async () => (await sessionsOf(product, old.clientId)).length, { timeout: 8000 })
      .toBe(0);
    const seen = deltaRequests(product, 200);
    await expect.poll(() => deltaRequests(product, 200), { timeout: 5000 }).toBeGreaterThan(seen + 1);
    expect(await sessionsOf(product, fresh.clientId)).toHaveLength(1);
    expect((await refresh(product, fresh.clientId, fresh.refreshToken)).status).toBe(200);
  },
);
