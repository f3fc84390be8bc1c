/** A managed identity as App Service and Functions give it, against the emulator: MSAL's real part asks. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createEmulator,
  type Emulator,
  GATEWAY_IDENTITY_CLIENT_ID,
  GATEWAY_IDENTITY_PRINCIPAL_ID,
  SNIPPETS_API_CLIENT_ID,
  SNIPPETS_API_URI,
  SYSTEM_IDENTITY_PRINCIPAL_ID,
} from '@valetkey/entra-emulator';
import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createTestClock } from '../session/sealed-store.suite.ts';
import { createManagedIdentity, type ManagedIdentity } from './managed-identity.ts';

const environmentBefore = { ...process.env };
let emulator: Emulator;
let folder: string;

beforeAll(async () => {
  emulator = await createEmulator();
  folder = await mkdtemp(join(tmpdir(), 'valetkey-identity-'));
  await writeFile(join(folder, 'ca.pem'), emulator.caCertificatePem);
});
beforeEach(() => {
  emulator.control.reset();
  Object.assign(process.env, emulator.azure.appServiceEnvironment());
});
afterEach(() => {
  for (const name of Object.keys(process.env))
    if (!(name in environmentBefore)) Reflect.deleteProperty(process.env, name);
});
afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true });
});

function open(clientId?: string) {
  const clock = createTestClock(Date.now());
  return { clock, identity: createManagedIdentity({ clientId, clock, caFile: join(folder, 'ca.pem') }) };
}

async function mustHave(identity: ManagedIdentity, rejected?: Parameters<ManagedIdentity['tokenFor']>[1]) {
  const token = await identity.tokenFor(SNIPPETS_API_URI, rejected);
  if (!token.ok) throw new Error(token.error.description);
  return token.value;
}

const asked = () => emulator.control.requestLog().filter(({ path }) => path === '/msi/token');

test.each([
  [GATEWAY_IDENTITY_CLIENT_ID, GATEWAY_IDENTITY_PRINCIPAL_ID],
  [undefined, SYSTEM_IDENTITY_PRINCIPAL_ID],
])(
  'A52: a token of the identity %s for the backend’s resource, asked for once',
  async (clientId, principal) => {
    const { identity } = open(clientId);
    const tokens = await Promise.all([mustHave(identity), mustHave(identity)]);
    const claims = decodeJwt(tokens[0].accessToken.reveal());
    expect(claims).toMatchObject({ sub: principal, aud: SNIPPETS_API_CLIENT_ID });
    expect(identity.tokenFor(SNIPPETS_API_URI)).not.toBeInstanceOf(Promise);
    expect(asked()).toMatchObject([{ query: { resource: SNIPPETS_API_URI } }]);
    expect(JSON.stringify(tokens)).not.toMatch(/eyJ/u);
    await identity.close();
  },
);

test('it is renewed at half its life, and when the backend refuses it', async () => {
  const { identity, clock } = open();
  const first = await mustHave(identity);
  clock.advance(12 * 3600 + 60);
  expect((await mustHave(identity)).accessToken, 'meanwhile the old one').toBe(first.accessToken);
  await expect.poll(() => asked().length).toBe(2);
  const second = await mustHave(identity, first.accessToken);
  expect(second.accessToken.reveal()).not.toBe(first.accessToken.reveal());
  clock.advance(60);
  const third = await mustHave(identity, second.accessToken);
  expect(third.accessToken.reveal()).not.toBe(second.accessToken.reveal());
  expect(asked()).toHaveLength(3);
  await identity.close();
});

test('an identity that nobody knows is the operator’s matter, an endpoint that is busy is not', async () => {
  const unknown = open('00000000-0000-4000-8000-000000000000');
  const refused = await unknown.identity.tokenFor(SNIPPETS_API_URI);
  expect(refused).toMatchObject({ ok: false, error: { kind: 'operator' } });
  expect(refused.ok ? '' : refused.error.description).toContain('managed identity');
  await unknown.identity.close();

  const { identity, clock } = open();
  emulator.control.setFault({ endpoint: 'managedIdentity' }, { kind: 'outage', hangUp: true }, 5);
  expect(await identity.tokenFor(SNIPPETS_API_URI)).toMatchObject({
    ok: false,
    error: { kind: 'unavailable' },
  });
  emulator.control.clearFaults();
  clock.advance(6);
  await mustHave(identity);
  await identity.close();
});
