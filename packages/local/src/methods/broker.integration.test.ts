/** A broker of our own judges the wiring: Microsoft's exists on no machine that runs these tests. */
import type { AccountInfo, AuthenticationResult } from '@azure/msal-node';
import { CONTOSO_TENANT_ID } from '@valetkey/entra-emulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { browserOf, type Emulated, openEmulated, removeAuthority, RITA } from '../emulated.suite.ts';
import { type BrokerPlugin, loadBroker } from './broker.ts';

let world: Emulated;
beforeAll(async () => {
  world = await openEmulated();
});
afterAll(() => world.close());
afterAll(removeAuthority);

const account: AccountInfo = {
  homeAccountId: `rita.${CONTOSO_TENANT_ID}`,
  environment: 'localhost',
  tenantId: CONTOSO_TENANT_ID,
  username: RITA,
  localAccountId: '10000000-0000-4000-8000-000000000001',
  nativeAccountId: 'native-1',
};

function createBroker() {
  const calls: { name: string; request: Record<string, unknown> }[] = [];
  const state = { isSignedIn: false };
  const answer = (scopes: string[]): AuthenticationResult => ({
    authority: '',
    uniqueId: account.localAccountId,
    tenantId: CONTOSO_TENANT_ID,
    scopes,
    account,
    idToken: '',
    idTokenClaims: {},
    accessToken: 'from-the-broker',
    fromCache: false,
    expiresOn: new Date(Date.now() + 3_600_000),
    tokenType: 'Bearer',
    correlationId: '',
  });
  const plugin: BrokerPlugin = {
    isBrokerAvailable: true,
    setLogger: () => undefined,
    getAccountById: async () => account,
    getAllAccounts: async () => (state.isSignedIn ? [account] : []),
    async acquireTokenSilent(request) {
      calls.push({ name: 'silent', request: { ...request } });
      return answer(request.scopes);
    },
    async acquireTokenInteractive(request) {
      calls.push({ name: 'interactive', request: { ...request } });
      state.isSignedIn = true;
      return answer(request.scopes);
    },
    async signOut(request) {
      calls.push({ name: 'signOut', request: { ...request } });
      state.isSignedIn = false;
    },
  };
  return { plugin, calls };
}

test('A6: where there is a broker it is asked, with its own redirect; then silently; and it signs out', async () => {
  const { plugin, calls } = createBroker();
  const browser = browserOf(RITA);
  const machine = { platform: 'win32' as const, env: {}, isContainer: () => false };
  const auth = world.open({}, { machine, loadBroker: async () => plugin, openBrowser: browser.open });
  const first = await auth.getToken(['User.Read']);
  expect(first.token.reveal()).toBe('from-the-broker');
  await auth.getToken(['User.Read'], { claims: '{"access_token":{}}' });
  await auth.signOut();
  expect(calls.map(({ name }) => name)).toEqual(['interactive', 'silent', 'signOut']);
  expect(calls[0]?.request['redirectUri']).toMatch(/^ms-appx-web:\/\/Microsoft\.AAD\.BrokerPlugin\/53d4e6f8/);
  expect(calls[1]?.request).toMatchObject({ accountId: 'native-1', claims: '{"access_token":{}}' });
  expect(browser.opened).toEqual([]);
});

test('A6: a broker that is not there is passed by; asked for alone, it is missed plainly', async () => {
  const browser = browserOf(RITA);
  const auth = world.open({}, { openBrowser: browser.open });
  await auth.signOut();
  await auth.getToken(['User.Read']);
  expect(browser.opened).toHaveLength(1);
  await auth.signOut();
  const only = world.open({ way: 'broker' });
  await expect(only.getToken(['User.Read'])).rejects.toMatchObject({ reason: 'no-way' });
});

test("A6: Microsoft's package is optional: without it there is no broker, and no fault", async () => {
  expect(await loadBroker()).toBeUndefined();
});
