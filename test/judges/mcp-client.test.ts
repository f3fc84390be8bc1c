/** The MCP SDK's own OAuth client, unpatched, that meets Entra without anything in between: the rules of `resource`. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { auth, type OAuthClientProvider } from '@modelcontextprotocol/client';
import {
  CONTOSO_TENANT_ID as TENANT,
  createEmulator,
  defaultSeed,
  DESKTOP_CLIENT_ID,
  type Emulator,
} from '@valetkey/entra-emulator';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBrowser } from '../../packages/emulator/src/browser.suite.ts';
import { readAnswer, walk } from '../../packages/emulator/src/scenario.suite.ts';

const REDIRECT = 'http://localhost:3998/callback';
const API_CLIENT_ID = '42c3d5e7-2b3c-4d4e-9f60-b2c3d4e5f699';
const trustedBefore = tls.getCACertificates('default');
let server: Server;
let origin: string;
/** How the server without a path spells itself. */
let hostResource: string;
let emulator: Emulator;

/** A protected resource with metadata and nothing else: the client never gets further here. */
beforeAll(async () => {
  server = createServer((request, response) => {
    const path = (request.url ?? '').replace('/.well-known/oauth-protected-resource', '');
    const isMetadata = path !== request.url;
    response.writeHead(isMetadata ? 200 : 401, { 'content-type': 'application/json' });
    const metadata = {
      resource: path === '' ? hostResource : origin + path,
      authorization_servers: [`${emulator.httpsOrigin}/${TENANT}/v2.0`],
    };
    response.end(JSON.stringify(isMetadata ? metadata : {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  hostResource = origin;
  emulator = await createEmulator({ seed: seedFor(origin) });
  tls.setDefaultCACertificates([...trustedBefore, emulator.caCertificatePem]);
});
afterAll(async () => {
  tls.setDefaultCACertificates(trustedBefore);
  server.close();
  server.closeAllConnections();
  await emulator.close();
});

/** Registered as Entra lets it be registered: with a path, and the host alone without the slash it forbids. */
function seedFor(host: string) {
  const api = {
    clientId: API_CLIENT_ID,
    servicePrincipalId: API_CLIENT_ID.replace('42c3', '52c3'),
    displayName: 'MCP server',
    redirectUris: [],
    identifierUris: [`${host}/mcp`, host],
    scopes: ['use'],
    accessTokenVersion: 2 as const,
  };
  const tenants = defaultSeed.tenants.map((tenant, index) =>
    index === 0 ? { ...tenant, apps: [...tenant.apps, api] } : tenant,
  );
  return { tenants };
}

interface Remembered extends OAuthClientProvider {
  readonly opened: URL[];
}

function createProvider(): Remembered {
  const opened: URL[] = [];
  const kept: { verifier: string; tokens?: Awaited<ReturnType<OAuthClientProvider['tokens']>> } = {
    verifier: '',
  };
  return {
    opened,
    redirectUrl: REDIRECT,
    clientMetadata: { redirect_uris: [REDIRECT] },
    clientInformation: () => ({ client_id: DESKTOP_CLIENT_ID }),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => {
      kept.tokens = tokens;
    },
    redirectToAuthorization: (url) => {
      opened.push(url);
    },
    saveCodeVerifier: (verifier) => {
      kept.verifier = verifier;
    },
    codeVerifier: () => kept.verifier,
  };
}

async function openAuthorization(provider: Remembered, serverUrl: string, scope: string) {
  expect(await auth(provider, { serverUrl, scope })).toBe('REDIRECT');
  const url = provider.opened.at(-1);
  const browser = createBrowser();
  const answer = readAnswer(await walk(await browser.get(url?.href ?? ''), browser));
  return { resource: url?.searchParams.get('resource'), answer };
}

test('judge @modelcontextprotocol/client 2: a resource with a path, at code and at refresh', async () => {
  emulator.control.addRedirectUri(DESKTOP_CLIENT_ID, REDIRECT, 'publicClient');
  const provider = createProvider();
  const serverUrl = `${origin}/mcp`;
  const scope = `${serverUrl}/use offline_access`;
  const { resource, answer } = await openAuthorization(provider, serverUrl, scope);
  expect(resource).toBe(serverUrl);
  expect(await auth(provider, { serverUrl, scope, authorizationCode: answer['code'] ?? '' })).toBe(
    'AUTHORIZED',
  );
  const first = await provider.tokens();
  expect(decodeJwt(first?.access_token ?? '')).toMatchObject({ aud: API_CLIENT_ID, scp: 'use' });
  expect(await auth(provider, { serverUrl, scope })).toBe('AUTHORIZED');
  expect((await provider.tokens())?.access_token).not.toBe(first?.access_token);
  const sent = emulator.control.requestLog().at(-1)?.form;
  expect(sent).toMatchObject({ grant_type: 'refresh_token', resource: serverUrl });
});

test('judge @modelcontextprotocol/client 2: a resource without a path, as its metadata spells it', async () => {
  emulator.control.addRedirectUri(DESKTOP_CLIENT_ID, REDIRECT, 'publicClient');
  hostResource = origin;
  const scope = `${origin}/use`;
  const right = await openAuthorization(createProvider(), origin, scope);
  expect([right.resource, typeof right.answer['code']]).toEqual([origin, 'string']);
  // What a server says that writes `new URL(host).href`.
  hostResource = `${origin}/`;
  const { resource, answer } = await openAuthorization(createProvider(), origin, scope);
  expect([resource, answer['error']]).toEqual([`${origin}/`, 'invalid_target']);
  expect(answer['error_description']).toContain('AADSTS9010010');
});
