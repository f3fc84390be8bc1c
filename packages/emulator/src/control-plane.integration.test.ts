/** What the control plane changes, seen from outside: through the token endpoint and Graph. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { postToken, signInForTokens } from './browser.suite.ts';
import {
  createEmulator,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  SNIPPETS_API_URI,
} from './emulator.ts';

const RITA = 'rita@contoso.example';
let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator();
});
beforeEach(() => emulator.control.reset());
afterAll(() => emulator.close());

const askAsApp = (client_secret = GATEWAY_CLIENT_SECRET) =>
  postToken(emulator, {
    grant_type: 'client_credentials',
    scope: `${SNIPPETS_API_URI}/.default`,
    client_id: GATEWAY_CLIENT_ID,
    client_secret,
  });
const refresh = (refresh_token: string | undefined, at = emulator) =>
  postToken(at, {
    grant_type: 'refresh_token',
    refresh_token: refresh_token ?? '',
    client_id: GATEWAY_CLIENT_ID,
    client_secret: GATEWAY_CLIENT_SECRET,
  });
const codesOf = async (response: Response) =>
  ((await response.json()) as { error_codes?: number[] }).error_codes;
const claimsOf = (token: string | undefined) =>
  JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

test('a secret can be added, expires by the emulated clock, and goes', async () => {
  const { control } = emulator;
  control.freezeClock(Date.UTC(2030, 0, 1));
  control.addSecret(GATEWAY_CLIENT_ID, 'second', Date.UTC(2030, 0, 2));
  expect((await askAsApp('second')).status).toBe(200);
  control.advanceClock(2 * 86_400);
  expect(await codesOf(await askAsApp('second'))).toEqual([7000222]);
  control.removeSecret(GATEWAY_CLIENT_ID, GATEWAY_CLIENT_SECRET);
  expect(await codesOf(await askAsApp())).toEqual([7000215]);
  control.reset();
  expect((await askAsApp()).status).toBe(200);
});

test('redirect URIs, certificates and federated credentials go again, and only what is there can go', () => {
  const { control } = emulator;
  control.addRedirectUri(GATEWAY_CLIENT_ID, 'https://a.example/cb');
  control.removeRedirectUri(GATEWAY_CLIENT_ID, 'https://a.example/cb');
  expect(() => control.removeRedirectUri(GATEWAY_CLIENT_ID, 'https://a.example/cb')).toThrow(RangeError);
  control.addCertificate(GATEWAY_CLIENT_ID, 'pem');
  control.removeCertificate(GATEWAY_CLIENT_ID, 'pem');
  expect(() => control.removeCertificate(GATEWAY_CLIENT_ID, 'pem')).toThrow(RangeError);
  control.addFederatedCredential(GATEWAY_CLIENT_ID, { issuer: 'i', subject: 's', audience: 'a' });
  control.removeFederatedCredential(GATEWAY_CLIENT_ID, 'i', 's');
  expect(() => control.removeFederatedCredential(GATEWAY_CLIENT_ID, 'i', 's')).toThrow(RangeError);
});

test('groups and roles of a person show in the next token', async () => {
  const { control } = emulator;
  control.setGroups(RITA, ['70000000-0000-4000-8000-0000000000aa']);
  control.assignRoles(GATEWAY_CLIENT_ID, RITA, ['Snippets.Admin']);
  const tokens = await signInForTokens(emulator, 'openid');
  expect(claimsOf(tokens['id_token'])).toMatchObject({
    roles: ['Snippets.Admin'],
    groups: ['70000000-0000-4000-8000-0000000000aa'],
  });
  control.unassign(GATEWAY_CLIENT_ID, RITA);
  expect(claimsOf((await signInForTokens(emulator, 'openid'))['id_token'])['roles']).toBeUndefined();
  expect(() => control.assignRoles(GATEWAY_CLIENT_ID, RITA, ['No.Such'])).toThrow(RangeError);
});

test('the clock stands still, moves ahead with every token, and runs on', async () => {
  const { control } = emulator;
  control.freezeClock(Date.UTC(2031, 5, 1));
  const claims = claimsOf(((await (await askAsApp()).json()) as { access_token: string }).access_token);
  expect(claims['iat']).toBeLessThanOrEqual(Date.UTC(2031, 5, 1) / 1000);
  expect(claims['exp']).toBeGreaterThan(Date.UTC(2031, 5, 1) / 1000);
  control.advanceClock(60);
  expect(control.clock()).toMatchObject({
    nowMs: Date.UTC(2031, 5, 1, 0, 1),
    frozenAtMs: Date.UTC(2031, 5, 1, 0, 1),
  });
  control.resumeClock();
  expect(control.clock().frozenAtMs).toBeUndefined();
  expect(control.clock().nowMs).toBeGreaterThanOrEqual(Date.UTC(2031, 5, 1, 0, 1));
  expect(() => control.advanceClock(-1)).toThrow(TypeError);
  expect(() => control.advanceClock(Number.NaN)).toThrow(TypeError);
});

test('the request log is read in pages, and its numbers never come back', async () => {
  const { control } = emulator;
  for (let index = 0; index < 3; index += 1) await askAsApp();
  const [first] = control.requestLog({ limit: 1 });
  const rest = control.requestLog({ since: first?.sequence ?? 0 });
  expect(rest.map((entry) => entry.sequence)).toEqual([
    (first?.sequence ?? 0) + 1,
    (first?.sequence ?? 0) + 2,
  ]);
  control.reset();
  await askAsApp();
  expect(control.requestLog()[0]?.sequence).toBeGreaterThan(rest[1]?.sequence ?? 0);
});

test('the overview has everybody, and no password or secret', () => {
  const overview = JSON.stringify(emulator.control.tenants());
  expect(overview).toContain(RITA);
  expect(overview).not.toContain('Passw0rd');
  expect(overview).not.toContain(GATEWAY_CLIENT_SECRET);
});

test('a snapshot goes through JSON into another emulator: people, grants, faults and clock', async () => {
  const { control } = emulator;
  const { refresh_token } = await signInForTokens(emulator, 'openid offline_access');
  control.disableUser('walt@contoso.example');
  control.advanceClock(3600);
  control.setFault({ endpoint: 'keys' }, { kind: 'outage' }, 2);
  control.addSecret(GATEWAY_CLIENT_ID, 'second');
  const text = JSON.stringify(await control.snapshot());
  expect(text).not.toContain('PRIVATE KEY');

  const other = await createEmulator();
  other.control.restore(JSON.parse(text) as Awaited<ReturnType<typeof control.snapshot>>);
  expect((await refresh(refresh_token, other)).status).toBe(200);
  expect(other.control.faults()).toEqual([
    { match: { endpoint: 'keys' }, fault: { kind: 'outage' }, times: 2 },
  ]);
  expect(other.control.clock().nowMs).toBeGreaterThan(Date.now() + 3_590_000);
  const walt = other.control.tenants()[0]?.users.find((each) => each.username.startsWith('walt'));
  expect(walt?.enabled).toBe(false);
  // The person of the grant and the person of the directory are one: revoking reaches the grant.
  other.control.revokeSessions(RITA);
  expect(await codesOf(await refresh(refresh_token, other))).toEqual([50173]);
  other.control.reset();
  expect(
    other.control.tenants()[0]?.users.every((each) => each.enabled || each.username.startsWith('dora')),
  ).toBe(true);
  await other.close();
});

test('private keys are in a snapshot only when asked for; with them old tokens stay good', async () => {
  const { control } = emulator;
  const before = await control.snapshot({ privateKeys: true });
  expect(JSON.stringify(before)).toContain('PRIVATE KEY');
  const kids = async (at: Emulator) =>
    (
      (await (await fetch(`${at.httpOrigin}/common/discovery/keys`)).json()) as { keys: { kid: string }[] }
    ).keys.map((key) => key.kid);
  const original = await kids(emulator);
  const other = await createEmulator();
  other.control.restore(JSON.parse(JSON.stringify(before)) as typeof before);
  expect(await kids(other)).toEqual(original);
  await other.close();
});

test('what is no snapshot changes nothing', async () => {
  const { control } = emulator;
  const good = await control.snapshot();
  control.disableUser(RITA);
  for (const bad of [
    {},
    { ...good, version: 2 },
    { ...good, state: {} },
    { ...good, state: { root: { node: 7 }, nodes: [] } },
    { ...good, state: { root: { node: 0 }, nodes: [{ kind: 'list', items: [] }] } },
    { ...good, state: { root: 1, nodes: [{ kind: 'magic' }] } },
  ]) {
    expect(() => control.restore(bad as typeof good)).toThrow(TypeError);
  }
  expect(control.tenants()[0]?.users.find((each) => each.username === RITA)?.enabled).toBe(false);
});
