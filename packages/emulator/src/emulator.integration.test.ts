import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { postToken, REDIRECT } from './browser.suite.ts';
import {
  CONTOSO_TENANT_ID as TENANT,
  createEmulator,
  defaultSeed,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
} from './emulator.ts';

let emulator: Emulator;

beforeAll(async () => {
  emulator = await createEmulator();
});
beforeEach(() => emulator.control.reset());
afterAll(() => emulator.close());

const post = (form: Record<string, string>) => postToken(emulator, form);
const getJson = async (path: string) =>
  (await (await fetch(emulator.httpOrigin + path)).json()) as Record<string, unknown>;

test('discovery names the browser’s endpoints on the origin that was asked, and everything else on https', async () => {
  const v2 = await getJson(`/contoso.example/v2.0/.well-known/openid-configuration`);
  expect(v2).toMatchObject({
    issuer: `${emulator.httpsOrigin}/${TENANT}/v2.0`,
    authorization_endpoint: `${emulator.httpOrigin}/${TENANT}/oauth2/v2.0/authorize`,
    token_endpoint: `${emulator.httpsOrigin}/${TENANT}/oauth2/v2.0/token`,
    jwks_uri: `${emulator.httpsOrigin}/${TENANT}/discovery/v2.0/keys`,
  });
  // Entra publishes neither: MCP clients have to live with that.
  expect(Object.keys(v2)).not.toEqual(
    expect.arrayContaining(['code_challenge_methods_supported', 'registration_endpoint']),
  );
  const common = await getJson('/common/v2.0/.well-known/openid-configuration');
  expect(common['issuer']).toBe(`${emulator.httpsOrigin}/{tenantid}/v2.0`);
  const v1 = await getJson(`/${TENANT}/.well-known/openid-configuration`);
  expect([v1['issuer'], v1['token_endpoint']]).toEqual([
    `${emulator.httpsOrigin}/${TENANT}/`,
    `${emulator.httpsOrigin}/${TENANT}/oauth2/token`,
  ]);
  expect(await getJson('/nowhere/v2.0/.well-known/openid-configuration')).toMatchObject({
    error: 'invalid_tenant',
    error_codes: [90002],
  });
  expect((await fetch(`${emulator.httpOrigin}/.well-known/oauth-authorization-server`)).status).toBe(404);
});

test('instance discovery knows this cloud and no other', async () => {
  const path = '/common/discovery/instance?api-version=1.1&authorization_endpoint=';
  const own = await getJson(
    path + encodeURIComponent(`${emulator.httpsOrigin}/${TENANT}/oauth2/v2.0/authorize`),
  );
  const host = new URL(emulator.httpsOrigin).host;
  expect(own).toMatchObject({
    metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
  });
  expect(await getJson(`${path}https%3A%2F%2Fevil.example%2Fx`)).toMatchObject({
    error: 'invalid_instance',
    error_codes: [50049],
  });
});

test('https is served by a leaf for localhost, 127.0.0.1 and ::1 under the local CA', async () => {
  const { hostname, port } = new URL(emulator.httpsOrigin);
  const peer = await new Promise<X509Certificate | undefined>((resolve, reject) => {
    const request = https.get(
      { hostname, port, path: `/${TENANT}/discovery/v2.0/keys`, ca: emulator.caCertificatePem, agent: false },
      (response) => {
        const socket = response.socket as import('node:tls').TLSSocket;
        resolve(socket.getPeerX509Certificate());
        response.resume();
      },
    );
    request.on('error', reject);
  });
  expect(peer?.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
  const authority = new X509Certificate(emulator.caCertificatePem);
  expect([authority.ca, peer?.ca, peer?.verify(authority.publicKey)]).toEqual([true, false, true]);
});

test('the CA is kept in its directory, with a key only its owner reads', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'emulator-ca-'));
  const first = await createEmulator({ caDirectory: directory });
  await first.close();
  const second = await createEmulator({ caDirectory: directory });
  await second.close();
  expect(second.caCertificatePem).toBe(first.caCertificatePem);
  expect((await stat(join(directory, 'ca-key.pem'))).mode & 0o777).toBe(0o600);
  await rm(directory, { recursive: true });
});

test('it refuses a host that others reach, a contradictory seed, and production', async () => {
  await expect(createEmulator({ host: '0.0.0.0' })).rejects.toThrow(RangeError);
  const [tenant] = defaultSeed.tenants;
  if (tenant === undefined) throw new Error('no tenant');
  await expect(createEmulator({ seed: { tenants: [{ ...tenant, users: [] }] } })).rejects.toThrow(
    /rita@contoso\.example, who is not a user/,
  );
  const before = process.env['NODE_ENV'];
  process.env['NODE_ENV'] = 'production';
  try {
    await expect(createEmulator()).rejects.toThrow('production');
  } finally {
    process.env['NODE_ENV'] = before;
  }
});

test('a body too long is 413, a foreign Host 400, an unknown path 404, a wrong method 405', async () => {
  expect((await post({ grant_type: 'x'.repeat(70_000) })).status).toBe(413);
  const status = await new Promise((resolve, reject) => {
    const options = { headers: { host: 'rebound.example' }, agent: false };
    http.get(emulator.httpOrigin, options, (response) => resolve(response.statusCode)).on('error', reject);
  });
  expect(status).toBe(400);
  expect((await fetch(`${emulator.httpOrigin}/nothing`)).status).toBe(404);
  expect((await fetch(`${emulator.httpOrigin}/${TENANT}/login`)).status).toBe(405);
});

test('no garbage makes the emulator fail by itself', async () => {
  const names = fc.constantFrom(
    'grant_type',
    'client_id',
    'client_secret',
    'code',
    'redirect_uri',
    'scope',
    'resource',
    'client_assertion',
    'client_assertion_type',
    'refresh_token',
    'code_verifier',
    'prompt',
    'response_type',
    'response_mode',
    'code_challenge',
    'ctx',
    'account',
    'claims',
  );
  const values = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      GATEWAY_CLIENT_ID,
      GATEWAY_CLIENT_SECRET,
      'authorization_code',
      'refresh_token',
      'client_credentials',
      REDIRECT,
      'code',
      '/',
      '//.default',
      'eyJhbGciOiJub25lIn0.e30.',
      'eyJhbGciOiJub25lIn0.eyJpc3MiOjF9.',
      '__proto__',
      'constructor',
    ),
  );
  const params = fc
    .array(fc.tuple(names, values), { maxLength: 8 })
    .map((pairs) => new URLSearchParams(pairs).toString());
  const segments = fc.constantFrom(
    TENANT,
    'common',
    'contoso.example',
    '%',
    '%00',
    '__proto__',
    '{tenantid}',
  );
  const paths = fc.constantFrom(
    'oauth2/v2.0/token',
    'oauth2/token',
    'oauth2/v2.0/authorize',
    'oauth2/authorize',
    'login',
    'discovery/instance',
    'v2.0/.well-known/openid-configuration',
    'oauth2/v2.0/logout',
  );
  const header = fc.constantFrom('', 'Basic !', 'Basic Og==', 'Basic JTpY', 'Bearer a.b.c');
  await fc.assert(
    fc.asyncProperty(
      segments,
      paths,
      params,
      params,
      header,
      fc.boolean(),
      async (segment, path, query, body, authorization, isPost) => {
        const init = {
          redirect: 'manual' as const,
          headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
        };
        const response = await fetch(
          `${emulator.httpOrigin}/${segment}/${path}?${query}`,
          isPost ? { ...init, method: 'POST', body } : init,
        );
        await response.arrayBuffer();
        expect(response.status).toBeLessThan(500);
      },
    ),
    { numRuns: 100 },
  );
  expect(emulator.control.requestLog().filter((entry) => entry.mistake !== undefined)).toEqual([]);
});
