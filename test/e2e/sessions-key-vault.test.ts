/**
 * Two gateways whose key file only Azure Key Vault opens, for a managed identity, with a federated credential of the same
 * identity toward Entra: not one secret in the configuration. Sessions outlive restarts and rotations.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GATEWAY_IDENTITY_CLIENT_ID } from '@valetkey/entra-emulator';
import { type RealServer, startRedis } from '@valetkey/gateway/store/real-servers.suite';
import { describeEntra } from 'valetkey/trial-config';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DrillGateways, startDrillGateways } from '../support/drill-gateways.ts';
import { callMcp, obtainTokens, refresh } from '../support/oauth-client.ts';

const clientId = GATEWAY_IDENTITY_CLIENT_ID;
let store: RealServer;
let gateways: DrillGateways;
beforeAll(async () => {
  store = await startRedis();
  gateways = await startDrillGateways(store, 2, (emulator) => ({
    env: emulator.azure.imdsEnvironment(),
    config: {
      entra: describeEntra(emulator, './ca.pem', { managedIdentity: { clientId } }),
      keys: {
        keyVault: `${emulator.httpsOrigin}/keys/gateway-key`,
        managedIdentity: clientId,
        file: './keys.json',
      },
    },
  }));
}, 60_000);
afterAll(async () => {
  await gateways.close();
  await store.close();
});

const signIn = (index: number) => {
  const person = gateways.people[index];
  if (person === undefined) throw new Error('nobody');
  return obtainTokens(gateways, person, { scope: 'who.ask' });
};
const callAt = async (index: number, token: unknown) => {
  const url = `${gateways.urlOf(index)}/who/mcp`;
  return (await callMcp(url, String(token), 'tools/call', { name: 'who' })).status;
};
const at = (index: number) => ({ ...gateways, url: gateways.urlOf(index) });
const requests = (path: string) =>
  gateways.emulator.control.requestLog().filter((entry) => entry.path.includes(path));
const wrapped = async () =>
  JSON.parse(await readFile(join(gateways.directory, 'keys.json'), 'utf8')) as Record<string, unknown>;
async function restart(): Promise<void> {
  for (const index of [0, 1]) {
    await gateways.kill(index);
    await gateways.start(index);
  }
}

test('A28 A29 A52: signed in, rotated and restarted, with a ring that the vault opens for the identity alone', async () => {
  expect(await wrapped()).toMatchObject({ version: 1, algorithm: 'RSA-OAEP-256' });
  const tokens = await signIn(0);
  for (const index of [0, 1]) expect(await callAt(index, tokens.accessToken)).toBe(200);
  const asked = requests('/keys/').length;
  for (const index of [0, 1, 0, 1]) expect(await callAt(index, tokens.accessToken)).toBe(200);
  expect(requests('/keys/'), 'no call asks the vault').toHaveLength(asked);

  const before = await wrapped();
  await gateways.rotateKeys();
  expect((await wrapped())['ring']).not.toBe(before['ring']);
  await restart();
  for (const index of [0, 1]) expect(await callAt(index, tokens.accessToken)).toBe(200);
  const renewed = await refresh(at(1), tokens.clientId, tokens.refreshToken);
  expect(renewed.status, JSON.stringify(renewed.body)).toBe(200);
  expect(await callAt(0, renewed.body['access_token'])).toBe(200);

  const identities = requests('/metadata/identity/oauth2/token').map(({ query }) => query['client_id']);
  expect(new Set(identities)).toEqual(new Set([clientId]));
  const secrets = requests('/oauth2/v2.0/token').filter(({ form }) => 'client_secret' in form);
  expect(secrets).toEqual([]);
}, 60_000);

test('A28: a vault that is away costs nobody anything while the gateways run, and is a clear refusal at start', async () => {
  const tokens = await signIn(1);
  gateways.emulator.control.setFault({ endpoint: 'keyVault' }, { kind: 'status', status: 503 });
  const renewed = await refresh(at(0), tokens.clientId, tokens.refreshToken);
  expect(renewed.status).toBe(200);
  for (const index of [0, 1]) expect(await callAt(index, renewed.body['access_token'])).toBe(200);

  await gateways.kill(1);
  const refused = await gateways.start(1).then(
    () => '',
    (fault: unknown) => String(fault),
  );
  expect(refused).toContain('Key Vault answered 503');
  expect(refused).toContain('Try again in a moment');
  expect(refused).not.toMatch(/^\s+at /m);
  expect(await callAt(0, renewed.body['access_token']), 'the other one goes on').toBe(200);

  gateways.emulator.control.clearFaults();
  await gateways.start(1);
  const again = await refresh(at(1), tokens.clientId, String(renewed.body['refresh_token']));
  expect(again.status).toBe(200);
}, 60_000);
