import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import {
  browserOf,
  type Emulated,
  openEmulated,
  removeAuthority,
  RITA,
  walk,
  WALT,
} from './emulated.suite.ts';
import { SignInPending } from './shared-prompt.ts';
import { SignInFailed } from './sign-in-failed.ts';

let world: Emulated;
beforeEach(async () => {
  world = await openEmulated();
});
afterEach(() => world.close());
afterAll(removeAuthority);

const scopes = ['User.Read'];
const tokenRequests = () =>
  world.emulator.control.requestLog().filter(({ path }) => path.endsWith('/oauth2/v2.0/token')).length;

test('A4 A8: one sign-in in the browser, then silent, also for the next process', async () => {
  const browser = browserOf(RITA);
  const first = await world.open({}, { openBrowser: browser.open }).getToken(scopes);
  expect(first.person).toBe('5c8a1d2e-0f3b-4c6d-9e7f-102938475610.10000000-0000-4000-8000-000000000001');
  expect(await browser.lastPage()).toContain('You are signed in');
  const requests = tokenRequests();
  const second = await world.open({}, { openBrowser: browser.open }).getToken(scopes);
  expect(second.token.reveal()).toBe(first.token.reveal());
  expect(browser.opened).toHaveLength(1);
  expect(tokenRequests()).toBe(requests);
});

test('A8: an access token that ends is renewed without the person', async () => {
  const browser = browserOf(RITA);
  const auth = world.open({}, { openBrowser: browser.open });
  world.emulator.control.setAccessTokenLifetime(60);
  const first = await auth.getToken(scopes);
  const second = await auth.getToken(scopes);
  expect(second.token.reveal()).not.toBe(first.token.reveal());
  expect(browser.opened).toHaveLength(1);
});

test('A5 D11: fifty calls at once share one prompt and one renewal', async () => {
  const browser = browserOf(RITA);
  const auth = world.open({}, { openBrowser: browser.open });
  const tokens = await Promise.all(Array.from({ length: 50 }, () => auth.getToken(scopes)));
  expect(new Set(tokens.map(({ token }) => token.reveal())).size).toBe(1);
  expect(browser.opened).toHaveLength(1);
  const before = tokenRequests();
  await Promise.all(Array.from({ length: 50 }, () => auth.getToken(scopes, { forceRefresh: true })));
  expect(tokenRequests()).toBe(before + 1);
});

test('A5 D11: the store `memory` has no lock on disk, and still one prompt', async () => {
  const browser = browserOf(RITA);
  const auth = world.open({ tokenStore: 'memory' }, { openBrowser: browser.open });
  await Promise.all([...scopes, 'openid', 'profile'].map((scope) => auth.getToken([scope])));
  expect(browser.opened).toHaveLength(1);
  expect(await readdir(world.directory)).toEqual([]);
});

test('D6: a registration that lacks something is told with what it lacks', async () => {
  world.emulator.control.setFault({ endpoint: 'token' }, { kind: 'aadsts', code: 7000218 });
  const auth = world.open({}, { openBrowser: browserOf(RITA).open });
  const failure = auth.getToken(scopes);
  await expect(failure).rejects.toMatchObject({ reason: 'operator', code: 7000218 });
  await expect(failure).rejects.toThrow(/public client flows/i);
});

test('A5: calls for different APIs share the prompt too', async () => {
  const browser = browserOf(RITA);
  const auth = world.open({}, { openBrowser: browser.open });
  const wanted = [
    ['User.Read'],
    ['https://mcp.contoso.example/snippets/mcp/snippets.use'],
    ['openid', 'profile'],
  ];
  const tokens = await Promise.all(wanted.map((each) => auth.getToken(each)));
  expect(new Set(tokens.map(({ person }) => person)).size).toBe(1);
  expect(browser.opened).toHaveLength(1);
});

test('A10 D11: a sign-in that nobody finishes times out, and the next one works', async () => {
  const browser = browserOf(undefined);
  const auth = world.open({ timeoutSeconds: 1 }, { openBrowser: browser.open });
  await expect(auth.getToken(scopes)).rejects.toMatchObject({ reason: 'timed-out', isRetryable: true });
  await expect(walk(browser.opened[0] ?? '', RITA)).rejects.toThrow();
  const later = world.open();
  await expect(later.getToken(scopes)).resolves.toBeDefined();
});

test('A10 D11: a cancelled call ends at once; the prompt ends with the last one that waits', async () => {
  const browser = browserOf(undefined);
  const opened = Promise.withResolvers<void>();
  const auth = world.open({}, { openBrowser: async (url) => browser.open(url).then(() => opened.resolve()) });
  const [one, two] = [new AbortController(), new AbortController()];
  const first = auth.getToken(scopes, { signal: one.signal });
  const second = auth.getToken(scopes, { signal: two.signal });
  await opened.promise;
  one.abort();
  await expect(first).rejects.toMatchObject({ reason: 'cancelled' });
  await walk(browser.opened[0] ?? '', RITA);
  await expect(second).resolves.toBeDefined();
});

test('A10: the last one to cancel closes the loopback', async () => {
  const browser = browserOf(undefined);
  const opened = Promise.withResolvers<void>();
  const abort = new AbortController();
  const auth = world.open({}, { openBrowser: async (url) => browser.open(url).then(() => opened.resolve()) });
  const call = auth.getToken(scopes, { signal: abort.signal });
  await opened.promise;
  abort.abort();
  await expect(call).rejects.toBeInstanceOf(SignInFailed);
  const redirect = new URL(browser.opened[0] ?? '').searchParams.get('redirect_uri') ?? '';
  await expect.poll(() => fetch(redirect).catch(() => 'closed')).toBe('closed');
});

test('D8: the account is chosen, switched and forgotten by its id', async () => {
  const auth = world.open();
  await auth.getToken(scopes);
  const walt = world.open({}, { openBrowser: browserOf(WALT).open });
  expect(await walt.switchAccount()).toMatchObject({ username: WALT, isChosen: true });
  const known = await auth.accounts();
  expect(known.map(({ username, isChosen }) => [username, isChosen]).toSorted()).toEqual([
    [RITA, false],
    [WALT, true],
  ]);
  const rita = known.find(({ username }) => username === RITA);
  await auth.switchAccount(rita?.homeAccountId);
  expect((await auth.getPerson()).username).toBe(RITA);
  await expect(auth.switchAccount('nobody')).rejects.toBeInstanceOf(RangeError);
  await auth.signOut();
  expect(await walt.accounts()).toEqual([]);
  await expect(walt.getToken(scopes, { isInteractive: false })).rejects.toMatchObject({
    reason: 'needs-person',
  });
});

test('D8: after a sign-out Entra is asked to let the person choose', async () => {
  const browser = browserOf(RITA);
  const auth = world.open({}, { openBrowser: browser.open });
  await auth.getToken(scopes);
  await auth.signOut();
  await auth.getToken(scopes);
  const prompts = browser.opened.map((url) => new URL(url).searchParams.get('prompt'));
  expect(prompts).toEqual([null, 'select_account']);
});

test('D10: a session that was revoked leads to a new sign-in, with the name to expect', async () => {
  const browser = browserOf(RITA);
  const auth = world.open({}, { openBrowser: browser.open });
  await auth.getToken(scopes);
  world.emulator.control.revokeSessions(RITA);
  await auth.getToken(scopes, { forceRefresh: true });
  expect(browser.opened).toHaveLength(2);
  expect(new URL(browser.opened[1] ?? '').searchParams.get('login_hint')).toBe(RITA);
});

test('D10: a claims challenge is answered by the sign-in it asks for, and only then', async () => {
  await world.close();
  const policy = {
    id: '90000000-0000-4000-8000-000000000001',
    displayName: 'MFA',
    contexts: ['c1' as const],
  };
  world = await openEmulated({ conditionalAccess: [{ ...policy, demand: 'mfa' }] });
  const opened: string[] = [];
  const openBrowser = async (url: string) => {
    opened.push(url);
    void walk(url, RITA, { otc: '246810' }).catch(() => undefined);
  };
  const auth = world.open({}, { openBrowser });
  await auth.getToken(scopes);
  const claims = JSON.stringify({ access_token: { acrs: { essential: true, value: 'c1' } } });
  await expect(auth.getToken(scopes, { claims, isInteractive: false })).rejects.toMatchObject({
    reason: 'needs-person',
  });
  expect(opened).toHaveLength(1);
  await expect(auth.getToken(scopes, { claims })).resolves.toBeDefined();
  expect(opened).toHaveLength(2);
  expect(new URL(opened[1] ?? '').searchParams.get('claims')).toContain('c1');
});

test('A6 D12: without a display it is a device code, told on stderr', async () => {
  const machine = {
    platform: 'linux' as const,
    env: { SSH_TTY: '/dev/pts/1', DISPLAY: ':0' },
    isContainer: () => false,
  };
  const auth = world.open({}, { machine });
  const call = auth.getToken(scopes);
  await expect.poll(() => world.lines.length).toBeGreaterThan(0);
  const [, page = '', code = ''] =
    /open (\S+) in a browser and enter the code (\S+)\.$/.exec(world.lines[0] ?? '') ?? [];
  await walk(page, RITA, { otc: code });
  await expect(call).resolves.toBeDefined();
});

test('A6: a call can be sent away while the device code is open, and come back for it', async () => {
  const auth = world.open({ way: 'device-code' });
  const pending = await auth.getToken(scopes, { onDeviceCode: 'interrupt' }).catch((error: unknown) => error);
  if (!(pending instanceof SignInPending)) throw pending;
  const back = auth.getToken(scopes);
  await walk(pending.prompt.verificationUri, RITA, { otc: pending.prompt.userCode });
  await expect(back).resolves.toBeDefined();
});

test('A10: a device code can be cancelled', async () => {
  const auth = world.open({ way: 'device-code' });
  const abort = new AbortController();
  const call = auth.getToken(scopes, { signal: abort.signal });
  await expect.poll(() => world.lines.length).toBeGreaterThan(0);
  abort.abort();
  await expect(call).rejects.toMatchObject({ reason: 'cancelled' });
});

test('D12: a browser that cannot be opened gives way to a device code', async () => {
  const auth = world.open({}, { openBrowser: () => Promise.reject(new Error('xdg-open: not found')) });
  const abort = new AbortController();
  const call = auth.getToken(scopes, { signal: abort.signal });
  await expect.poll(() => world.lines.join('\n')).toContain('enter the code');
  abort.abort();
  await expect(call).rejects.toMatchObject({ reason: 'cancelled' });
});

test('A7 D12: nothing on disk can be read: no token, no name, and only by its owner', async () => {
  const auth = world.open();
  const { token } = await auth.getToken(scopes);
  const files = await readdir(world.directory);
  expect(files.length).toBeGreaterThan(0);
  for (const name of files) {
    const bytes = await readFile(join(world.directory, name));
    for (const text of [token.reveal(), RITA, 'rita', 'refresh', 'secret', 'eyJ'])
      expect(bytes.includes(text), `${name} holds ${text}`).toBe(false);
    expect((await stat(join(world.directory, name))).mode & 0o077).toBe(0);
  }
  const [key] = world.keychain.kept.values();
  for (const name of files)
    expect((await readFile(join(world.directory, name))).includes(Buffer.from(key ?? []))).toBe(false);
});

test('A7: the key comes out of the keychain; without it the file is worth nothing, and one signs in again', async () => {
  await world.open().getToken(scopes);
  world.keychain.kept.clear();
  const browser = browserOf(RITA);
  await world.open({}, { openBrowser: browser.open }).getToken(scopes);
  expect(browser.opened).toHaveLength(1);
  expect(world.lines.join('\n')).toContain('cannot be opened and is not used');
});

test('A5: two processes that start at once ask once, and keep one session', async () => {
  const browser = browserOf(RITA);
  const [one, two] = [1, 2].map(() => world.open({}, { openBrowser: browser.open }));
  const tokens = await Promise.all([one?.getToken(scopes), two?.getToken(scopes)]);
  expect(browser.opened).toHaveLength(1);
  expect(tokens[0]?.person).toBe(tokens[1]?.person);
  expect(world.keychain.kept.size).toBe(1);
});

test('A10 D9: a refusal of Entra is told with its code and in our words', async () => {
  world.emulator.control.setFault({ endpoint: 'authorize' }, { kind: 'aadsts', code: 65004 });
  const browser = browserOf(RITA);
  const auth = world.open({}, { openBrowser: browser.open });
  const failure = await auth.getToken(scopes).catch((error: unknown) => error);
  expect(failure).toMatchObject({ reason: 'declined', code: 65004, isRetryable: false });
  expect(String(failure)).toContain('(AADSTS65004)');
  expect(String(failure)).not.toContain('Trace ID');
  expect(await browser.lastPage()).toContain('Nothing was signed in');
});

test('D13: no name and no token is logged', async () => {
  const auth = world.open();
  const { token } = await auth.getToken(scopes);
  await auth.getPerson();
  await auth.signOut();
  const text = world.lines.join('\n');
  expect(text).toContain('Signed in.');
  for (const secret of [token.reveal(), 'rita', 'Rita', 'contoso']) expect(text).not.toContain(secret);
});

test('who is signed in is told with the roles of the app', async () => {
  const person = await world.open().getPerson();
  expect(person).toMatchObject({
    username: RITA,
    roles: [],
    tenantId: '5c8a1d2e-0f3b-4c6d-9e7f-102938475610',
  });
});

test('an outage is told as one, with the time to wait', async () => {
  const auth = world.open();
  await auth.getToken(scopes);
  world.emulator.control.setFault({ endpoint: 'token' }, { kind: 'throttle', retryAfterSeconds: 7 });
  await expect(auth.getToken(scopes, { forceRefresh: true })).rejects.toMatchObject({
    reason: 'unavailable',
    retryAfterSeconds: 7,
  });
});
