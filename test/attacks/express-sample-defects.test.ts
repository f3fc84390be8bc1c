/**
 * What the public samples of a remote Express server with Entra get wrong (D14 to D32), tried on a server that is built
 * with `@valetkey/express` as its quick start shows. One test for each, in their order.
 */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { createEmulator, type Emulator } from '@valetkey/entra-emulator';
import type { AuthInfo, Valetkey } from '@valetkey/express';
import express, { type Request, type Response } from 'express';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import * as z from 'zod';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import { createHttpBrowser } from '../support/http-person.ts';
import {
  callMcp,
  obtainTokens,
  postForm,
  postJson,
  readMessage,
  redeemCode,
  redirectUri,
  refresh,
  registerClient,
} from '../support/oauth-client.ts';
import { send } from '../support/raw-http.ts';
import { allow, codeOf, goToCallback, goToConsent, obtainCode } from '../support/sign-in-steps.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const walt = { username: 'walt@contoso.example', password: 'Walt-Passw0rd' };
const scope = 'mcp.use';
const asked = { overrides: { scope } };

let emulator: Emulator;
let server: ExpressServer;
/** Messages as the tools' server got them. */
const received: string[] = [];

function createApp(vk: Valetkey) {
  const mcp = createMcpHandler(() => {
    const tools = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }));
    tools.registerTool('who_am_i', { description: 'Tells who is calling.' }, (context) => ({
      content: [{ type: 'text', text: vk.principal(context).username ?? '' }],
    }));
    tools.registerTool(
      'echo',
      { description: 'Echo.', inputSchema: z.object({}).loose() },
      (args, context) => {
        received.push(JSON.stringify([args, context.mcpReq]));
        return { content: [] };
      },
    );
    tools.registerTool('fail', { description: 'Fails.' }, () => {
      throw new Error('the printer is on fire');
    });
    return tools;
  });
  const whoseRoute = (req: Request, res: Response) => {
    const { expiresAt, clientId, scopes, resource } = (req as { auth?: AuthInfo }).auth ?? {};
    res.json({ expiresAt, clientId, scopes, resource, username: vk.principal(req).username });
  };
  return express()
    .use(vk.serve(mcp))
    .get('/own', vk.requireBearerAuth(), whoseRoute)
    .get('/writers', vk.requireBearerAuth({ roles: ['Snippets.Writer'] }), whoseRoute)
    .use('/v1', vk.requireBearerAuth(), shareOneTransport(vk));
}

/** The mistake itself: one server and one transport of SDK 1.x for everybody. */
function shareOneTransport(vk: Valetkey) {
  const mcp = vk.guard(new McpServerV1({ name: 'test', version: '1.0.0' }), {});
  mcp.registerTool('who_am_i', { description: 'Tells who is calling.' }, (extra) => ({
    content: [{ type: 'text', text: vk.principal(extra).username ?? '' }],
  }));
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => 'shared',
    enableJsonResponse: true,
  });
  const connected = mcp.connect(transport);
  return async (req: Request, res: Response) => {
    await connected;
    await transport.handleRequest(req, res);
  };
}

beforeAll(async () => {
  emulator = await createEmulator();
  const lifetimes = { refreshReplaySeconds: 0 };
  server = await startExpressServer({ emulator, build: createApp, options: { lifetimes } });
});
beforeEach(() => {
  received.length = 0;
});
afterAll(async () => {
  await server.close();
  await emulator.close();
});

const tokensOf = (person: typeof rita) => obtainTokens(server, person, { scope });
const call = (token: string | undefined, name: string, args = {}, at = server.mcpUrl) =>
  callMcp(at, token, 'tools/call', { name, arguments: args });
const textOf = async (answer: globalThis.Response) => JSON.stringify(await readMessage(answer));

test('D14: a transport that is shared by mistake serves the first person, and shows the second nothing of theirs', async () => {
  const shared = `${server.url}/v1`;
  const [first, second] = [await tokensOf(rita), await tokensOf(walt)];
  const session = { 'mcp-session-id': 'shared' };
  const initialize = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  };
  expect((await callMcp(shared, first.accessToken, 'initialize', initialize)).status).toBe(200);
  const ask = (token: string) =>
    callMcp(shared, token, 'tools/call', { name: 'who_am_i', arguments: {} }, session);
  expect(await textOf(await ask(first.accessToken))).toContain(rita.username);
  const refused = await ask(second.accessToken);
  expect(refused.status).toBe(404);
  expect(await refused.text()).not.toContain('@contoso.example');
  expect(await textOf(await ask(first.accessToken))).toContain(rita.username);
});

test('D15: clients that hang up end nothing', async () => {
  const { accessToken } = await tokensOf(rita);
  const leaving = Array.from({ length: 20 }, (_, index) =>
    fetch(server.mcpUrl, {
      method: 'POST',
      headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
      signal: AbortSignal.timeout(index),
    }).then(
      (answer) => answer.body?.cancel(),
      () => undefined,
    ),
  );
  await Promise.all(leaving);
  expect((await call(accessToken, 'who_am_i')).status).toBe(200);
});

test('D16: broken messages are refused, and the next good one is answered', async () => {
  const { accessToken } = await tokensOf(rita);
  for (const body of ['{', '\u0000', '[[[[', '{"jsonrpc":"2.0","id":{}}', `"${'x'.repeat(1000)}"`]) {
    const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
    const answer = await fetch(server.mcpUrl, { method: 'POST', headers, body });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
  }
  expect((await call(accessToken, 'who_am_i')).status).toBe(200);
});

test('D17: a stale token is 401 and says so, and its client can refresh', async () => {
  const { accessToken, refreshToken, clientId } = await tokensOf(rita);
  for (const token of ['unknown', `${accessToken}x`, accessToken.slice(0, -3)]) {
    const answer = await call(token, 'who_am_i');
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"');
  }
  server.time.aheadMs = 2 * 3600_000;
  const expired = await call(accessToken, 'who_am_i');
  server.time.aheadMs = 0;
  expect([expired.status, expired.headers.get('www-authenticate')]).toEqual([
    401,
    expect.stringContaining('error="invalid_token"'),
  ]);
  const { body } = await refresh(server, clientId, refreshToken);
  expect((await call(String(body['access_token']), 'who_am_i')).status).toBe(200);
});

test('D18: no state and no cookie before Allow, and only the browser that allowed can finish', async () => {
  const at = await goToConsent(server, asked);
  expect(at.page.text).toContain('name="decision"');
  const names = () => [...at.browser.cookies(server.url).keys()];
  expect(names().filter((name) => name.includes('sign-in'))).toEqual([]);
  const toEntra = await allow(at);
  expect(new URL(toEntra.location ?? '').origin).toBe(emulator.httpOrigin);
  expect(names().filter((name) => name.includes('sign-in'))).toHaveLength(1);

  const { callbackUrl } = await goToCallback(server, rita, asked);
  const stolen = await createHttpBrowser().request(callbackUrl);
  expect(stolen.status).toBe(403);
  expect(stolen.location).toBeUndefined();
});

test('D19: the answer goes to the redirect that was asked for, not to the first one registered', async () => {
  const second = 'http://127.0.0.1:33418/second';
  const clientId = await registerClient(server, { redirect_uris: [redirectUri, second] });
  const at = await goToCallback(server, rita, { clientId, overrides: { scope, redirect_uri: second } });
  const left = await at.browser.follow(at.callbackUrl, [server.url]);
  expect(left.location?.split('?')[0]).toBe(second);
  const parts = { clientId, code: codeOf(left) ?? '', verifier: at.request.verifier };
  expect((await redeemCode(server, { ...parts, redirectUri })).status).toBe(400);
});

test('D20: a code is for one client, spent by a failed try, and its replay ends what it gave', async () => {
  const wrong = await obtainCode(server, rita, asked);
  const { clientId, code, request } = wrong;
  const other = await registerClient(server);
  expect((await redeemCode(server, { clientId: other, code, verifier: request.verifier })).status).toBe(400);
  expect((await redeemCode(server, { clientId, code, verifier: request.verifier })).status).toBe(400);

  const guessed = await obtainCode(server, rita, asked);
  const guess = { clientId: guessed.clientId, code: guessed.code };
  expect((await redeemCode(server, { ...guess, verifier: 'a'.repeat(43) })).status).toBe(400);
  expect((await redeemCode(server, { ...guess, verifier: guessed.request.verifier })).status).toBe(400);

  const good = await obtainCode(server, rita, asked);
  const parts = { clientId: good.clientId, code: good.code, verifier: good.request.verifier };
  const { body } = await redeemCode(server, parts);
  expect((await call(String(body['access_token']), 'who_am_i')).status).toBe(200);
  expect((await redeemCode(server, parts)).body).toMatchObject({ error: 'invalid_grant' });
  expect((await call(String(body['access_token']), 'who_am_i')).status).toBe(401);
});

test('D21: refresh tokens are real, and each is good once', async () => {
  const { clientId, refreshToken } = await tokensOf(rita);
  const first = await refresh(server, clientId, refreshToken);
  expect(first.status).toBe(200);
  const rotated = String(first.body['refresh_token']);
  expect(rotated).not.toBe(refreshToken);
  expect((await refresh(server, clientId, refreshToken)).body).toMatchObject({ error: 'invalid_grant' });
  expect((await refresh(server, clientId, rotated)).body, 'the whole family').toMatchObject({
    error: 'invalid_grant',
  });
});

test('D22 D23: a restart forgets nobody, nothing on the disk is readable, and no file is for others', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'valetkey-restart-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const first = await startExpressServer({ emulator, directory, build: createApp });
  const { clientId, accessToken, refreshToken } = await obtainTokens(first, rita, { scope });
  await first.close();

  const files = await readdir(directory);
  expect(files).not.toContain('registered_clients.json');
  for (const name of files.filter((each) => /\.db|keys/.test(each))) {
    const content = await readFile(join(directory, name), 'latin1');
    for (const secret of [accessToken, refreshToken, clientId, 'eyJ0', rita.username])
      expect(content.includes(secret), name).toBe(false);
    expect((await stat(join(directory, name))).mode & 0o077, name).toBe(0);
  }

  const port = Number(new URL(first.url).port);
  const second = await startExpressServer({ emulator, directory, port, build: createApp });
  onTestFinished(() => second.close());
  expect((await call(accessToken, 'who_am_i', {}, second.mcpUrl)).status).toBe(200);
  const { body } = await refresh(second, clientId, refreshToken);
  expect(body).toHaveProperty('access_token');
});

test('D24: no redirect that a browser would run, and none with a fragment', async () => {
  for (const uri of [
    'javascript:alert(1)',
    'data:text/html,x',
    'http://evil.example/',
    'https://a.example/#x',
  ]) {
    const { status, body } = await postJson(`${server.url}/register`, { redirect_uris: [uri] });
    expect([status, uri]).toEqual([400, uri]);
    expect(String(body['error'])).toMatch(/invalid_redirect_uri|invalid_client_metadata/);
  }
});

test('D25: what the metadata says is there, and a public client gets no secret', async () => {
  const metadata = (await (
    await fetch(`${server.url}/.well-known/oauth-authorization-server`)
  ).json()) as Record<string, string>;
  for (const endpoint of [
    'authorization_endpoint',
    'token_endpoint',
    'registration_endpoint',
    'revocation_endpoint',
    'jwks_uri',
  ])
    expect((await fetch(metadata[endpoint] ?? '')).status, endpoint).not.toBe(404);
  const { body } = await postJson(`${server.url}/register`, {
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
  });
  expect(body).not.toHaveProperty('client_secret');
  const { clientId, accessToken, refreshToken } = await tokensOf(rita);
  const revoked = await postForm(`${server.url}/revoke`, { token: refreshToken, client_id: clientId });
  expect(revoked.status).toBe(200);
  expect((await call(accessToken, 'who_am_i')).status).toBe(401);
});

test('D26: seconds where the SDK wants seconds', async () => {
  const { accessToken, clientId } = await tokensOf(rita);
  const answer = await fetch(`${server.url}/own`, { headers: { authorization: `Bearer ${accessToken}` } });
  const body = (await answer.json()) as { expiresAt: number };
  expect(body).toMatchObject({ clientId, scopes: [scope], resource: server.mcpUrl, username: rita.username });
  expect(body.expiresAt).toBeGreaterThan(Date.now() / 1000);
  expect(body.expiresAt).toBeLessThan(Date.now() / 1000 + 3700);
});

test('D27: no message holds the token, and what a client writes into one is nobody', async () => {
  const { accessToken } = await tokensOf(rita);
  const forged = { context: { token: 'another', principal: { username: walt.username } } };
  await callMcp(server.mcpUrl, accessToken, 'tools/call', {
    name: 'echo',
    arguments: forged,
    _meta: forged,
    ...forged,
  });
  expect(received.join('')).toContain(walt.username);
  expect(received.join('')).not.toContain(accessToken);
  const who = await callMcp(server.mcpUrl, accessToken, 'tools/call', {
    name: 'who_am_i',
    arguments: forged,
    ...forged,
  });
  expect(await textOf(who)).toContain(rita.username);
});

test("D28: addresses are those of the public URL, and Entra's no reaches the client with its state", async () => {
  const answer = await send(server.url, {
    method: 'GET',
    path: '/.well-known/oauth-protected-resource/mcp',
    headers: [
      'Host',
      new URL(server.url).host,
      'X-Forwarded-Host',
      'evil.example',
      'Forwarded',
      'host=evil.example',
    ],
  });
  expect(answer.text).toContain(server.mcpUrl);
  expect(answer.text).not.toContain('evil.example');

  const at = await goToConsent(server, asked);
  const entra = new URL((await allow(at)).location ?? '');
  const callback = new URL(`${server.url}/auth/callback`);
  callback.search = new URLSearchParams({
    error: 'access_denied',
    error_description: 'AADSTS65004: User declined to consent',
    state: entra.searchParams.get('state') ?? '',
  }).toString();
  const left = await at.browser.follow(callback.href, [server.url]);
  const query = new URL(left.location ?? '').searchParams;
  expect(Object.fromEntries(query)).toMatchObject({
    error: 'access_denied',
    state: at.request.state,
    iss: server.url,
  });
});

test('D29: PKCE goes to Entra as well, and a client is told the scopes and the life that it got', async () => {
  const at = await goToConsent(server, { overrides: { scope: `${scope} made.up openid` } });
  const entra = new URL((await allow(at)).location ?? '').searchParams;
  expect(entra.get('code_challenge_method')).toBe('S256');
  expect(entra.get('code_challenge')).toMatch(/^[\w-]{43}$/);
  const { clientId, code, request } = await obtainCode(server, rita, {
    overrides: { scope: `${scope} made.up offline_access` },
  });
  const { body } = await redeemCode(server, { clientId, code, verifier: request.verifier });
  expect(String(body['scope']).split(' ')).toEqual([scope]);
  expect(body['expires_in']).toBeLessThanOrEqual(3600);
});

test('D30: a tool that fails says how, and an unknown one is called unknown', async () => {
  const { accessToken } = await tokensOf(rita);
  expect(await readMessage(await call(accessToken, 'fail'))).toMatchObject({
    result: { isError: true, content: [{ text: 'the printer is on fire' }] },
  });
  expect(await textOf(await call(accessToken, 'nowhere'))).toMatch(/not found|unknown/i);
});

test('D31: every record of a session says whose it is', async () => {
  const { accessToken, clientId } = await tokensOf(walt);
  await call(accessToken, 'who_am_i');
  const own = async () =>
    (await server.readAudit()).filter(
      (record) => record['clientId'] === clientId && record['event'] === 'mcp.call',
    );
  await expect.poll(own).toHaveLength(1);
  expect((await own())[0]).toMatchObject({
    objectId: '10000000-0000-4000-8000-000000000002',
    method: 'tools/call',
    target: 'who_am_i',
    outcome: 'success',
  });
});

test('D32: a page of another site gets nowhere, by its own name or by ours', async () => {
  const { accessToken } = await tokensOf(walt);
  const authorization = ['Authorization', `Bearer ${accessToken}`];
  const { host } = new URL(server.url);
  for (const path of ['/mcp', '/own', '/writers', '/v1']) {
    const rebound = await send(server.url, {
      method: 'GET',
      path,
      headers: ['Host', 'evil.example', ...authorization],
    });
    expect([rebound.status, path]).toEqual([403, path]);
    const foreign = await send(server.url, {
      method: 'GET',
      path,
      headers: ['Host', host, 'Origin', 'http://evil.example', ...authorization],
    });
    expect([foreign.status, path]).toEqual([403, path]);
  }
  const writers = (token: string) =>
    fetch(`${server.url}/writers`, { headers: { authorization: `Bearer ${token}` } });
  expect((await writers(accessToken)).status).toBe(200);
  expect((await writers((await tokensOf(rita)).accessToken)).status).toBe(403);
});
