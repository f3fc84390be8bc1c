/** Entra tokens of a caller: renewed silently, and what happens where Entra first wants the person. */
import { UnauthorizedError } from '@modelcontextprotocol/client';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { getProfile } from '@valetkey/core/graph/profile';
import {
  createEmulator,
  defaultSeed,
  type Emulator,
  GATEWAY_CLIENT_ID,
  PAYROLL_API_CLIENT_ID,
} from '@valetkey/entra-emulator';
import { EntraTokenFailed, type Valetkey } from '@valetkey/express';
import express from 'express';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type ExpressServer, startExpressServer } from '../support/express-server.ts';
import {
  authorizeRequest,
  callMcp,
  readMessage,
  redeemCode,
  refresh,
  registerClient,
  type Tokens,
} from '../support/oauth-client.ts';
import { openLoopbackCallback } from '../support/loopback-callback.ts';
import { connectSdkClient } from '../support/sdk-client.ts';
import { createPatientPerson, type PatientPerson } from '../support/patient-person.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const payroll = `api://${PAYROLL_API_CLIENT_ID}/payroll.read`;

let emulator: Emulator;
let server: ExpressServer;

beforeEach(async () => {
  // An app whose people are asked for what it wants.
  const [contoso, ...others] = defaultSeed.tenants;
  if (contoso === undefined) throw new Error('no tenant in the seed');
  const apps = contoso.apps.map((app) =>
    app.clientId === GATEWAY_CLIENT_ID ? { ...app, consent: 'required' as const } : app,
  );
  emulator = await createEmulator({ seed: { tenants: [{ ...contoso, apps }, ...others] } });
  server = await startExpressServer({
    emulator,
    options: {
      leaver: { checkSeconds: 0 },
      // What clients ask for at first.
      enter: { scopes: ['mcp.use'] },
      scopes: {
        'mcp.use': { description: 'Use this server', entra: ['User.Read'] },
        'mail.read': { description: 'Read your mail', entra: ['Mail.Read'] },
      },
    },
    build: (vk) => express().use(vk.serve(createMcp(vk))),
  });
});
afterEach(async () => {
  await server.close();
  await emulator.close();
});

function createMcp(vk: Valetkey) {
  const text = (what: string) => ({ content: [{ type: 'text' as const, text: what }] });
  return createMcpHandler(() => {
    const mcp = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }));
    mcp.registerTool('mail', { description: 'Mail.' }, async (context) => {
      const { token } = await vk.entraToken(context, ['Mail.Read']);
      return text(`a token, shown as ${String(token)}`);
    });
    mcp.registerTool('payroll', { description: 'Payroll.' }, async (context) => {
      const { token } = await vk.entraToken(context, [payroll]);
      return text(`a token, shown as ${String(token)}`);
    });
    mcp.registerTool('careless', { description: 'Catches everything.' }, async (context) => {
      try {
        await vk.entraToken(context, ['Mail.Read']);
      } catch (error) {
        return text(error instanceof EntraTokenFailed ? error.reason : 'another error');
      }
      return text('ok');
    });
    mcp.registerTool('getUserDetails', { description: 'Profile.' }, async (context) => {
      const ask: Parameters<typeof vk.callGraph>[2] = (caller, graph) => getProfile(graph, caller);
      return text(JSON.stringify(await vk.callGraph(context, ['User.Read'], ask)));
    });
    return mcp;
  });
}

async function signIn(
  person: PatientPerson,
  { clientId, scope = 'mcp.use' }: { readonly clientId?: string; readonly scope?: string } = {},
): Promise<Tokens> {
  const id = clientId ?? (await registerClient(server));
  const request = authorizeRequest(server, id, { scope: `${scope} offline_access` });
  const left = await person.signIn(request.url);
  const code = new URL(left.location ?? 'about:blank').searchParams.get('code') ?? '';
  const { status, body } = await redeemCode(server, { clientId: id, code, verifier: request.verifier });
  if (status !== 200) throw new Error(`token: ${status} ${JSON.stringify(body)} after ${left.text}`);
  return {
    clientId: id,
    accessToken: String(body['access_token']),
    refreshToken: String(body['refresh_token']),
  };
}

const newPerson = () => createPatientPerson(rita, { server: server.url, entra: emulator.httpOrigin });
const call = (token: string, name: string) =>
  callMcp(server.mcpUrl, token, 'tools/call', { name, arguments: {} });
/** Requests for tokens that the server itself sent to Entra. */
const tokenRequests = () =>
  emulator.control.requestLog().filter(({ path }) => path.endsWith('/oauth2/v2.0/token')).length;

test('A16 A17: an Entra token that ran out is renewed during a call, once for all calls at that moment', async () => {
  emulator.control.setAccessTokenLifetime(600);
  const { accessToken } = await signIn(newPerson());
  const details = async () => JSON.stringify(await readMessage(await call(accessToken, 'getUserDetails')));
  expect(await details()).toContain('Rita Reader');
  const before = tokenRequests();
  // Microsoft's library has no clock but the machine's.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 700_000 });
  try {
    const answers = await Promise.all(Array.from({ length: 5 }, details));
    for (const answer of answers) expect(answer).toContain('Rita Reader');
    expect(tokenRequests() - before).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});

test('A17: a token that Graph no longer takes is replaced, though it should have lived on', async () => {
  const { accessToken } = await signIn(newPerson());
  await call(accessToken, 'getUserDetails');
  // Far ahead for Entra and Graph only.
  emulator.control.advanceClock(2 * 3600);
  server.time.aheadMs += 60_000;
  expect(JSON.stringify(await readMessage(await call(accessToken, 'getUserDetails')))).toContain('Rita');
});

test('A14: a scope of Entra that nobody has consented to is asked for as a scope of ours', async () => {
  const person = newPerson();
  const first = await signIn(person);
  const refused = await call(first.accessToken, 'mail');
  expect(refused.status).toBe(403);
  expect(refused.headers.get('www-authenticate')).toContain('error="insufficient_scope"');
  expect(refused.headers.get('www-authenticate')).toContain('scope="mcp.use mail.read"');

  const second = await signIn(person, { clientId: first.clientId, scope: 'mcp.use mail.read' });
  expect(person.seen[2], 'at first Entra asks for what the server needs anyway').not.toContain('Mail.Read');
  expect(person.seen.at(-1)).toContain('Mail.Read');
  const mail = await readMessage(await call(second.accessToken, 'mail'));
  expect(mail).toMatchObject({ result: { content: [{ text: 'a token, shown as [secret]' }] } });
  expect((await call(first.accessToken, 'getUserDetails')).status, 'the first session goes on').toBe(200);
});

test('A14: a tool that swallows the error cannot swallow the challenge', async () => {
  const { accessToken } = await signIn(newPerson());
  expect((await call(accessToken, 'careless')).status).toBe(403);
});

test('D10: Conditional Access: the session ends, and the next sign-in shows Entra what it wants', async () => {
  const person = newPerson();
  const first = await signIn(person);
  const refused = await call(first.accessToken, 'payroll');
  expect(refused.status).toBe(401);
  expect(refused.headers.get('www-authenticate')).toContain('error="invalid_token"');
  const refreshed = await refresh(server, first.clientId, first.refreshToken);
  expect(refreshed.body).toMatchObject({ error: 'invalid_grant' });

  const second = await signIn(person, { clientId: first.clientId });
  expect(person.seen).toContain('otc');
  expect(person.asked.at(-1)?.get('claims')).toContain('capolids');
  expect(person.asked.at(-1)?.get('scope')).toContain(payroll);
  expect((await call(second.accessToken, 'payroll')).status).toBe(200);
  const ended = (await server.readAudit()).find(({ event }) => event === 'session.revoke');
  expect(ended).toMatchObject({ reason: 'AADSTS50076', clientId: first.clientId });
});

test('D10: a browser that has never been here is sent to Entra a second time, with what is wanted', async () => {
  const first = await signIn(newPerson());
  await call(first.accessToken, 'payroll');
  const elsewhere = newPerson();
  const second = await signIn(elsewhere, { clientId: first.clientId });
  expect(elsewhere.asked.map((query) => query.has('claims'))).toEqual([false, true]);
  expect(
    elsewhere.seen.filter((page) => page === 'decision'),
    'consent here is asked once',
  ).toHaveLength(1);
  expect((await call(second.accessToken, 'payroll')).status).toBe(200);
});

test('D10: another client of the same person is not bothered', async () => {
  const first = await signIn(newPerson());
  await call(first.accessToken, 'payroll');
  const person = newPerson();
  await signIn(person);
  expect(person.asked.map((query) => query.has('claims'))).toEqual([false]);
});

test('A26: Entra out of reach is an error of this call, and nobody is signed out', async () => {
  const { accessToken } = await signIn(newPerson());
  emulator.control.setFault({ endpoint: 'token' }, { kind: 'outage' });
  const answer = await call(accessToken, 'getUserDetails');
  expect(answer.status).toBe(200);
  expect(await readMessage(answer)).toMatchObject({ result: { isError: true } });
  emulator.control.clearFaults();
  server.time.aheadMs += 10_000;
  expect(JSON.stringify(await readMessage(await call(accessToken, 'getUserDetails')))).toContain('Rita');
});

test.each(['v2 legacy', 'v2 modern'] as const)(
  'A14 D10: client SDK %s: more consent and a second factor, each by one sign-in in the midst of its work',
  async (kind) => {
    const callback = await openLoopbackCallback();
    const person = newPerson();
    const { client, signInAgain, signIns } = await connectSdkClient({
      kind,
      mcpUrl: server.mcpUrl,
      callback,
      memory: {},
      async signIn(url) {
        await fetch((await person.signIn(url.href)).location ?? '');
      },
    });
    for (const name of ['mail', 'payroll']) {
      await expect(client.callTool(name)).rejects.toThrow(UnauthorizedError);
      await signInAgain();
      expect((await client.callTool(name)).isError ?? false).toBe(false);
    }
    expect(signIns()).toBe(3);
    await client.close();
    await callback.close();
  },
);

test('A15 D43: no Entra token in an answer, a log line or a record', async () => {
  const { accessToken } = await signIn(newPerson());
  const texts = [
    await (await call(accessToken, 'getUserDetails')).text(),
    await (await call(accessToken, 'mail')).text(),
    JSON.stringify(await server.readAudit()),
    server.logLines.join('\n'),
  ];
  for (const text of texts) expect(text).not.toMatch(/eyJ[\w-]{20}/);
});
