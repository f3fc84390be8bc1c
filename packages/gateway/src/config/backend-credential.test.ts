import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfigFile } from './load.ts';
import { printConfig } from './print.ts';

const id = '31b2aaaa-4d0e-4b5c-9d0e-3f1a2b3c4d5e';
const hidden = 'Bearer hunter2';
const payroll = 'api://payroll/payroll.read';

function load(backend: Record<string, unknown>, entra: Record<string, unknown> = {}) {
  const document = {
    publicUrl: 'https://mcp.contoso.com',
    entra: { tenant: id, clientId: id, credential: { managedIdentity: { clientId: id } }, ...entra },
    backends: { payroll: { path: '/payroll/mcp', upstream: 'https://payroll.internal/mcp', ...backend } },
  };
  return loadConfigFile({ source: { text: stringify(document) }, baseDirectory: '/', env: { KEY: hidden } });
}

function mustLoad(backend: Record<string, unknown>) {
  const loaded = load(backend);
  const built = loaded.ok ? loaded.value.config.backends[0] : undefined;
  if (!loaded.ok || built === undefined) throw new Error(JSON.stringify(loaded));
  return { loaded: loaded.value, config: loaded.value.config, backend: built };
}

test.each([
  [
    { managedIdentity: { resource: 'api://payroll' } },
    { kind: 'managedIdentity', resource: 'api://payroll' },
  ],
  [
    { managedIdentity: { scope: 'api://payroll/.default', clientId: id } },
    { kind: 'managedIdentity', resource: 'api://payroll', clientId: id },
  ],
  [{ entra: { scopes: [payroll] } }, { kind: 'entra', scopes: [payroll], flow: 'refresh' }],
  [
    { entra: { scopes: [payroll], flow: 'onBehalfOf' } },
    { kind: 'entra', scopes: [payroll], flow: 'onBehalfOf' },
  ],
  [{ identityJwt: {} }, { kind: 'identityJwt', header: 'authorization' }],
  [{ identityJwt: { header: 'X-Caller' } }, { kind: 'identityJwt', header: 'x-caller' }],
  [
    { header: 'X-Api-Key', value: 'env:KEY' },
    { kind: 'header', header: 'x-api-key' },
  ],
  [
    { header: 'Authorization', value: 'env:KEY' },
    { kind: 'header', header: 'authorization' },
  ],
  ['none', undefined],
  [undefined, undefined],
])('A52: the credential %j', (credential, built) => {
  const { loaded, backend } = mustLoad({ credential });
  if (built === undefined) expect(backend.credential).toBeUndefined();
  else expect(backend.credential).toMatchObject(built);
  expect(printConfig(loaded)).not.toContain(hidden);
});

test('who may ask for a scope of the backend consents to what the backend is called with', () => {
  const scopes = { 'payroll.use': { description: 'Use it', entra: ['User.Read'] }, 'payroll.see': 'See it' };
  const { backend } = mustLoad({ credential: { entra: { scopes: [payroll] } }, scopes });
  expect(backend.scopes).toEqual([
    { name: 'payroll.use', description: 'Use it', entra: ['User.Read', payroll] },
    { name: 'payroll.see', description: 'See it', entra: [payroll] },
  ]);
});

test.each([
  ['no kind', {}, ''],
  ['two kinds', { header: 'x-key', value: 'env:KEY', identityJwt: {} }, ''],
  ['a header without its value', { header: 'x-key' }, ''],
  ['a value without its header', { value: 'env:KEY', identityJwt: {} }, ''],
  ['neither resource nor scope', { managedIdentity: {} }, '.managedIdentity'],
  [
    'resource and scope',
    { managedIdentity: { resource: 'api://a', scope: 'api://a/.default' } },
    '.managedIdentity',
  ],
  [
    'a client id that is none',
    { managedIdentity: { resource: 'api://a', clientId: 'mine' } },
    '.managedIdentity.clientId',
  ],
  ['a resource with a space', { managedIdentity: { resource: 'api://a b' } }, '.managedIdentity.resource'],
  ['no scopes', { entra: { scopes: [] } }, '.entra.scopes'],
  ['an OpenID scope', { entra: { scopes: ['openid'] } }, '.entra.scopes[0]'],
  ['scopes of two APIs', { entra: { scopes: [payroll, 'User.Read'] } }, '.entra.scopes'],
  ['.default beside others', { entra: { scopes: ['api://payroll/.default', payroll] } }, '.entra.scopes'],
  ['another flow', { entra: { scopes: [payroll], flow: 'implicit' } }, '.entra.flow'],
  ['a header of the gateway', { identityJwt: { header: 'X-Valetkey-Object-Id' } }, '.identityJwt.header'],
  ['a header of the connection', { identityJwt: { header: 'Host' } }, '.identityJwt.header'],
])('%s is a fault with its place and a remedy', (_name, credential, at) => {
  const config = load({ credential });
  const faults = config.ok ? [] : config.error;
  expect(faults.map(({ path }) => path)).toContain(`backends.payroll.credential${at}`);
  expect(faults.every(({ remedy }) => remedy.length > 10)).toBe(true);
});

test('.default where the sign-in asks for more is a fault, alone it is not', () => {
  const backend = { credential: { entra: { scopes: ['api://payroll/.default'] } } };
  expect(load(backend).ok).toBe(true);
  expect(load(backend, { scopes: ['User.Read'] }).ok).toBe(false);
});

test('time-outs, bounds, circuit breaker and health check: defaults, and what is written', () => {
  const { backend } = mustLoad({});
  expect(backend).toMatchObject({
    timeouts: { connectMs: 10_000, firstByteMs: 60_000 },
    capacity: { maxQueued: 0, queueMs: 1000 },
    circuit: { failures: 5, openSeconds: 5 },
  });
  expect(backend).not.toHaveProperty('health');
  const written = {
    timeouts: { connectMs: 500, firstByteMs: 2000, idleMs: 3000 },
    circuit: { failures: 0, openSeconds: 60 },
    health: { path: '/healthz', intervalSeconds: 10 },
  };
  const more = { maxConcurrent: 20, maxQueued: 5, queueMs: 200, maxStreams: 300 };
  expect(mustLoad({ ...written, ...more }).backend).toMatchObject({ ...written, capacity: more });
});

test.each([
  [{ timeouts: { connectMs: 1 } }, 'timeouts.connectMs'],
  [{ timeouts: { firstByteTimeoutMs: 1000 } }, 'timeouts.firstByteTimeoutMs'],
  [{ maxConcurrent: 0 }, 'maxConcurrent'],
  [{ health: { path: 'healthz' } }, 'health.path'],
  [{ health: { path: '//elsewhere.example/healthz' } }, 'health.path'],
  [{ health: { path: '/\\elsewhere.example' } }, 'health.path'],
])('%j is a fault', (part, path) => {
  const config = load(part);
  expect(config.ok ? [] : config.error.map((fault) => fault.path)).toEqual([`backends.payroll.${path}`]);
});
