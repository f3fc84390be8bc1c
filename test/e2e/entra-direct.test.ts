/** The example that takes Entra's own tokens, as its operator starts it; and both kinds of tokens at one endpoint. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import {
  CONTOSO_TENANT_ID,
  createEmulator,
  defaultSeed,
  DESKTOP_CLIENT_ID,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
  SNIPPETS_API_CLIENT_ID,
} from '@valetkey/entra-emulator';
import { getProfile } from '@valetkey/core/graph/profile';
import type { Valetkey, ValetkeyOptions } from '@valetkey/express';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { killLeftovers, type RunningCommand, startCommand } from '../support/command.ts';
import { startExpressServer } from '../support/express-server.ts';
import { findFreePort } from '../support/free-port.ts';
import { type LoopbackCallback, openLoopbackCallback } from '../support/loopback-callback.ts';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';
import { createPatientPerson } from '../support/patient-person.ts';
import { connectSdkClient, type SdkKind } from '../support/sdk-client.ts';

const rita = { username: 'rita@contoso.example', password: 'Rita-Passw0rd' };
const secretOfApi = 'a-secret-of-the-api-for-tests';
const trustedBefore = tls.getCACertificates('default');
let folder: string;
let emulator: Emulator;
let callback: LoopbackCallback;
let command: RunningCommand;
let port: number;
let url: string;
let mcpUrl: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'valetkey-direct-'));
  port = await findFreePort();
  url = `http://localhost:${port}`;
  mcpUrl = `${url}/mcp`;
  emulator = await createEmulator({ seed: seedFor(mcpUrl) });
  callback = await openLoopbackCallback();
  emulator.control.addRedirectUri(DESKTOP_CLIENT_ID, callback.url, 'publicClient');
  const caFile = join(folder, 'ca.pem');
  await writeFile(caFile, emulator.caCertificatePem);
  command = startCommand(
    process.execPath,
    ['--conditions=valetkey-source', 'examples/entra-direct/src/main.ts'],
    {
      env: {
        PORT: String(port),
        VALETKEY_PUBLIC_URL: url,
        VALETKEY_TENANT_ID: CONTOSO_TENANT_ID,
        VALETKEY_CLIENT_ID: SNIPPETS_API_CLIENT_ID,
        VALETKEY_AUTHORITY_HOST: emulator.httpsOrigin,
        VALETKEY_CA_FILE: caFile,
      },
    },
  );
  await command.until(/MCP server at/);
});
afterAll(async () => {
  killLeftovers();
  await callback.close();
  await emulator.close();
  await rm(folder, { recursive: true, force: true });
});

/** Registered as the README says: the address of the endpoint is the App ID URI. */
function seedFor(resource: string) {
  const tenants = defaultSeed.tenants.map((tenant) => ({
    ...tenant,
    apps: tenant.apps.map((app) =>
      app.clientId === SNIPPETS_API_CLIENT_ID
        ? { ...app, identifierUris: [resource], secrets: [{ value: secretOfApi }] }
        : app,
    ),
  }));
  return { tenants };
}

async function askToken(form: Record<string, string>, at = emulator): Promise<string> {
  const answer = await fetch(`${at.httpOrigin}/${CONTOSO_TENANT_ID}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams(form),
  });
  const body = (await answer.json()) as { access_token?: string };
  if (body.access_token === undefined) throw new Error(JSON.stringify(body));
  return body.access_token;
}
const personToken = (scope = `${mcpUrl}/snippets.use`) =>
  askToken({ grant_type: 'password', client_id: DESKTOP_CLIENT_ID, ...rita, scope });
const applicationToken = () =>
  askToken({
    grant_type: 'client_credentials',
    client_id: GATEWAY_CLIENT_ID,
    client_secret: GATEWAY_CLIENT_SECRET,
    scope: `${mcpUrl}/.default`,
  });
const call = (token: string | undefined, name: string, at = mcpUrl) =>
  callMcp(at, token, 'tools/call', { name, arguments: {} });

test('A12 A33: the metadata names Entra, and nothing is issued here', async () => {
  const answer = await call(undefined, 'who_am_i');
  expect(answer.status).toBe(401);
  const metadataUrl = `${url}/.well-known/oauth-protected-resource/mcp`;
  expect(answer.headers.get('www-authenticate')).toBe(
    `Bearer resource_metadata="${metadataUrl}", scope="${mcpUrl}/snippets.use"`,
  );
  expect(await (await fetch(metadataUrl)).json()).toMatchObject({
    resource: mcpUrl,
    authorization_servers: [`${emulator.httpsOrigin}/${CONTOSO_TENANT_ID}/v2.0`],
    scopes_supported: [`${mcpUrl}/snippets.use`],
  });
  for (const path of [
    '/.well-known/oauth-authorization-server',
    '/authorize',
    '/token',
    '/register',
    '/auth/callback',
  ])
    expect((await fetch(url + path)).status).toBe(404);
});

test.each<SdkKind>(['v1', 'v2 legacy', 'v2 modern'])(
  'client SDK %s signs in at Entra, and its token is good here',
  async (kind) => {
    // The official client speaks to Entra itself here.
    tls.setDefaultCACertificates([...trustedBefore, emulator.caCertificatePem]);
    onTestFinished(() => tls.setDefaultCACertificates(trustedBefore));
    const { client, wire } = await connectSdkClient({
      kind,
      mcpUrl,
      callback,
      memory: { client: { client_id: DESKTOP_CLIENT_ID } },
      async signIn(authorizeUrl) {
        const person = createPatientPerson(rita, { server: url, entra: emulator.httpsOrigin });
        await fetch((await person.signIn(authorizeUrl.href)).location ?? '');
      },
    });
    expect(await client.listTools()).toEqual(['who_am_i']);
    const { structuredContent } = await client.callTool('who_am_i');
    expect(structuredContent).toEqual({
      kind: 'person',
      username: rita.username,
      client: DESKTOP_CLIENT_ID,
      roles: ['Snippets.Reader'],
      scopes: ['snippets.use'],
    });
    expect(wire.some((line) => line.includes('/register'))).toBe(false);
    await client.close();
  },
);

test('A24: an application is told from a person, and each may what its roles allow', async () => {
  const [person, application] = await Promise.all([personToken(), applicationToken()]);
  expect(await readMessage(await call(application, 'who_am_i'))).toMatchObject({
    result: { structuredContent: { kind: 'application', client: GATEWAY_CLIENT_ID, scopes: [] } },
  });
  expect((await call(application, 'service_status')).status).toBe(200);
  const denied = await call(person, 'service_status');
  expect(denied.status).toBe(403);
  expect(await readMessage(denied)).toMatchObject({
    error: { data: { missingRoles: ['Snippets.Service'] } },
  });
});

test('A13 D3 D17: a token for another API is no token here', async () => {
  for (const token of [await personToken('User.Read'), 'a.b.c', 'junk', '']) {
    const answer = await call(token, 'who_am_i');
    expect(answer.status).toBe(401);
  }
});

/** The same endpoint for both kinds of tokens; the API is the app registration that signs people in, too. */
async function openBoth(entraDirect: NonNullable<ValetkeyOptions['entraDirect']>) {
  const ownPort = await findFreePort();
  const resource = `http://localhost:${ownPort}/mcp`;
  const shared = await createEmulator({ seed: seedFor(resource) });
  shared.control.addRedirectUri(SNIPPETS_API_CLIENT_ID, `http://localhost:${ownPort}/auth/callback`);
  const caFile = join(folder, `${ownPort}.pem`);
  await writeFile(caFile, shared.caCertificatePem);
  const server = await startExpressServer({
    emulator: shared,
    port: ownPort,
    options: {
      entra: {
        cloud: {
          authorityHost: shared.httpsOrigin,
          browserAuthorityHost: shared.httpOrigin,
          graphHost: shared.httpsOrigin,
        },
        tenant: CONTOSO_TENANT_ID,
        clientId: SNIPPETS_API_CLIENT_ID,
        credential: { secret: secretOfApi },
        caFile,
      },
      scopes: { 'snippets.use': 'Use it' },
      entraDirect,
    },
    build: (vk) => vk.serve(createMcpHandler(() => createMailServer(vk))),
  });
  const person = () =>
    askToken(
      {
        grant_type: 'password',
        client_id: DESKTOP_CLIENT_ID,
        ...rita,
        scope: `${resource}/snippets.use`,
      },
      shared,
    );
  return {
    server,
    emulator: shared,
    person,
    async close() {
      await server.close();
      await shared.close();
    },
  };
}

function createMailServer(vk: Valetkey): McpServer {
  const mcp = vk.guard(new McpServer({ name: 'test', version: '1.0.0' }));
  mcp.registerTool('who_am_i', { description: 'Who.' }, (context) => ({
    content: [{ type: 'text', text: vk.principal(context).username ?? '' }],
  }));
  mcp.registerTool('getUserDetails', { description: 'Profile.' }, async (context) => {
    const profile = await vk.callGraph(context, ['User.Read'], (caller, graph) => getProfile(graph, caller));
    return { content: [{ type: 'text', text: JSON.stringify(profile) }] };
  });
  return mcp;
}

test('both kinds of tokens are taken at one endpoint, under one policy', async () => {
  const both = await openBoth(true);
  const { server } = both;
  const metadata = await fetch(`${server.url}/.well-known/oauth-protected-resource/mcp`);
  expect(await metadata.json()).toMatchObject({
    authorization_servers: [server.url, `${both.emulator.httpsOrigin}/${CONTOSO_TENANT_ID}/v2.0`],
    scopes_supported: ['snippets.use'],
  });
  const { accessToken } = await obtainTokens(server, rita);
  for (const token of [accessToken, await both.person()]) {
    const answer = await readMessage(await call(token, 'getUserDetails', server.mcpUrl));
    expect(JSON.stringify(answer)).toContain('Rita Reader');
  }
  await both.close();
});

test("A16 A17: behind an Entra token Graph is asked on the caller's behalf, once for calls at one moment", async () => {
  const { server, person, emulator: shared, close } = await openBoth({ only: true });
  expect((await fetch(`${server.url}/authorize`)).status).toBe(404);
  const token = await person();
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => call(token, 'getUserDetails', server.mcpUrl).then(readMessage)),
  );
  for (const answer of answers) expect(JSON.stringify(answer)).toContain('Rita Reader');
  const exchanged = shared.control
    .requestLog()
    .filter(({ form }) => form['requested_token_use'] === 'on_behalf_of');
  expect(exchanged).toHaveLength(1);
  await close();
});

test('D10: what Entra wants of the person is in the challenge, for clients that speak to Entra', async () => {
  const { server, person, emulator: shared, close } = await openBoth({ only: true });
  const token = await person();
  const claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}';
  shared.control.setFault({ endpoint: 'token' }, { kind: 'aadsts', code: 50076, claims });
  const answer = await call(token, 'getUserDetails', server.mcpUrl);
  expect(answer.status).toBe(401);
  const challenge = answer.headers.get('www-authenticate') ?? '';
  expect(challenge).toContain('error="insufficient_claims"');
  const encoded = /claims="([^"]+)"/.exec(challenge)?.[1] ?? '';
  expect(Buffer.from(encoded, 'base64').toString()).toBe(claims);
  await close();
});

test("D17: while Entra's keys cannot be had, a token is neither good nor bad: 503", async () => {
  const { server, person, emulator: shared, close } = await openBoth({ only: true });
  const token = await person();
  shared.control.setFault({ endpoint: 'keys' }, { kind: 'outage' });
  shared.control.setFault({ endpoint: 'discovery' }, { kind: 'outage' });
  const answer = await call(token, 'who_am_i', server.mcpUrl);
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
  shared.control.clearFaults();
  expect((await call(token, 'who_am_i', server.mcpUrl)).status).toBe(200);
  await close();
});
