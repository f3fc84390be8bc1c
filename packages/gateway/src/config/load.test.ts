import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { AnyBackendConfig } from './config.ts';
import { type LoadOptions, loadConfig, loadConfigFile } from './load.ts';
import { printConfig } from './print.ts';
import { listConfigWarnings } from './warnings.ts';

const tenant = '8f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e';
const clientId = '31b2aaaa-4d0e-4b5c-9d0e-3f1a2b3c4d5e';
const hidden = 'hunter2-super-secret-value';

const good = {
  publicUrl: 'https://mcp.contoso.com',
  entra: { tenant, clientId, credential: { managedIdentity: { clientId } } as Record<string, unknown> },
  backends: {
    snippets: {
      path: '/snippets/mcp',
      upstream: 'http://127.0.0.1:7071/mcp',
      credential: { header: 'X-Functions-Key', value: 'env:FUNCTION_KEY' },
      scopes: ['snippets.use'],
      enter: { anyRole: ['Snippets.Reader', 'Snippets.Writer'] },
      tools: { save_snippet: { anyRole: ['Snippets.Writer'] } },
    },
  } as Record<string, Record<string, unknown>>,
};
const snippets = good.backends['snippets'] ?? {};

const surroundings: Omit<LoadOptions, 'source'> = {
  baseDirectory: '/etc/valetkey',
  env: { FUNCTION_KEY: hidden, EMPTY: '', BROKEN: `${hidden}\nx: y` },
  readFile: (path) => {
    if (path === '/etc/valetkey/secret.txt') return `${hidden}\n`;
    throw new Error(`ENOENT ${path}`);
  },
};
const load = (document: unknown, more: Partial<LoadOptions> = {}) =>
  loadConfig({
    ...surroundings,
    source: { text: typeof document === 'string' ? document : stringify(document) },
    ...more,
  });
const loadGood = (document: unknown) => {
  const config = load(document);
  if (!config.ok) throw new Error(JSON.stringify(config.error, null, 2));
  return config.value;
};
const faultsOf = (document: unknown) => {
  const config = load(document);
  return config.ok ? [] : config.error;
};
const withBackend = (change: Record<string, unknown>) => ({
  ...good,
  backends: { snippets: { ...snippets, ...change } },
});
const secretOf = (backend: AnyBackendConfig | undefined) =>
  backend?.credential?.kind === 'header' ? backend.credential.value.reveal() : undefined;
const withEntra = (change: Record<string, unknown>) => ({ ...good, entra: { ...good.entra, ...change } });

test.each(['', '# nothing yet\n', '---\n'])(
  'an empty file lacks every setting, and each is named: %j',
  (text) => {
    const loaded = loadConfig({ source: { text }, env: {} });
    expect(loaded.ok || loaded.error.map(({ path }) => path)).toEqual(['publicUrl', 'entra', 'backends']);
  },
);

test.each(['- publicUrl', 'publicUrl'])('a file that is no map is told so: %j', (text) => {
  const loaded = loadConfig({ source: { text }, env: {} });
  expect(loaded.ok || loaded.error).toMatchObject([{ path: 'the file', remedy: 'Write a map' }]);
});

test('the smallest configuration is complete: defaults, resource, paths, resolved secrets', () => {
  const config = loadGood(good);
  expect(config).toMatchObject({
    publicUrl: 'https://mcp.contoso.com',
    listen: { host: '127.0.0.1', port: 8080 },
    store: { driver: 'sqlite', path: '/etc/valetkey/valetkey.db' },
    keys: { file: '/etc/valetkey/keys.json' },
    lifetimes: {
      accessTokenSeconds: 3600,
      refreshTokenSeconds: 2_592_000,
      authorizationCodeSeconds: 60,
      signInSeconds: 600,
      consentSeconds: 2_592_000,
      denialSeconds: 0,
    },
    limits: {
      register: { requests: 20, windowSeconds: 3600 },
      mcpBodyBytes: 4_194_304,
      requestTimeoutMs: 30_000,
    },
    entra: {
      tenants: [tenant],
      cloud: { name: 'public', authorityHost: 'https://login.microsoftonline.com' },
    },
    audit: {
      stdout: true,
      onOverflow: 'drop',
      maxQueuedRecords: 10_000,
      maxQueuedBytes: 8_388_608,
    },
  });
  const [backend] = config.backends;
  expect(backend?.resource).toBe('https://mcp.contoso.com/snippets/mcp');
  expect(backend?.scopes).toEqual([{ name: 'snippets.use', description: 'Use snippets' }]);
  expect(backend?.credential).toMatchObject({ kind: 'header', header: 'x-functions-key' });
  expect(secretOf(backend)).toBe(hidden);
  expect(backend?.rules.tools['save_snippet']).toEqual({ anyRole: ['Snippets.Writer'] });
  expect(backend?.rules.tools['constructor'], 'a tool name is no property of Object').toBeUndefined();
});

test('scopes as a map give the consent page its sentences; without scopes there is one default', () => {
  const mapped = loadGood(withBackend({ scopes: { 'snippets.use': 'Read and save your snippets' } }));
  expect(mapped.backends[0]?.scopes).toEqual([
    { name: 'snippets.use', description: 'Read and save your snippets' },
  ]);
  const { scopes: _, ...without } = snippets;
  const standard = loadGood({ ...good, backends: { 'code-search': { ...without, title: 'Code search' } } });
  expect(standard.backends[0]?.scopes).toEqual([{ name: 'code-search.use', description: 'Use Code search' }]);
});

test.each([
  ['usgov', 'https://login.microsoftonline.us', 'api://AzureADTokenExchangeUSGov'],
  ['china', 'https://login.partner.microsoftonline.cn', 'api://AzureADTokenExchangeChina'],
])(
  'A29: the cloud %s decides authority and federation audience',
  (cloud, authorityHost, tokenExchangeAudience) => {
    expect(loadGood(withEntra({ cloud })).entra.cloud).toMatchObject({
      name: cloud,
      authorityHost,
      tokenExchangeAudience,
    });
  },
);

test('another cloud is given by its hosts', () => {
  const cloud = { authorityHost: 'http://localhost:9999', graphHost: 'http://localhost:9999' };
  expect(loadGood(withEntra({ cloud })).entra.cloud).toEqual({
    name: 'custom',
    tokenExchangeAudience: 'api://AzureADTokenExchange',
    ...cloud,
  });
});

test.each([
  ['https://mcp.contoso.com/', 'Write https://mcp.contoso.com'],
  ['https://mcp.contoso.com/base', 'Write https://mcp.contoso.com'],
  ['https://mcp.contoso.com?x=1', 'Write https://mcp.contoso.com'],
  ['https://mcp.contoso.com#x', 'Write https://mcp.contoso.com'],
  ['https://MCP.contoso.com', 'Write https://mcp.contoso.com'],
  ['https://mcp.contoso.com:443', 'Write https://mcp.contoso.com'],
  ['https://user:hunter2@mcp.contoso.com', 'Write https://mcp.contoso.com'],
  ['http://mcp.contoso.com', 'Write https://mcp.contoso.com'],
  ['http://127.0.0.1.evil.example', 'Write https://127.0.0.1.evil.example'],
  ['mcp.contoso.com', 'Write an origin such as https://mcp.contoso.com'],
  ['ftp://mcp.contoso.com', 'Write an origin such as https://mcp.contoso.com'],
])('A23: publicUrl %s is refused, and the remedy says what to write', (publicUrl, remedy) => {
  const faults = faultsOf({ ...good, publicUrl });
  expect(faults.map(({ path }) => path)).toEqual(['publicUrl']);
  expect(faults[0]?.remedy).toContain(remedy);
  expect(JSON.stringify(faults)).not.toContain('hunter2');
});

test.each([
  ['http://localhost:8091', '127.0.0.1', 8091],
  ['http://127.0.0.1:8092', '127.0.0.1', 8092],
  ['http://[::1]:8093', '::1', 8093],
  ['https://localhost:8094', '127.0.0.1', 8094],
])('A23: %s is fine on loopback, and the gateway listens there', (publicUrl, host, port) => {
  expect(loadGood({ ...good, publicUrl }).listen).toEqual({ host, port });
});

test('all faults at once: shape, values, references, rules between values', () => {
  const faults = faultsOf({
    ...good,
    publicURL: 'x',
    entra: { tenant: ['common', tenant], clientId: 5, credential: { secret: 'env:NO_SUCH' } },
    clients: {
      metadataDocuments: { allowLoopback: true },
      preRegistered: [
        { clientId: 'a', name: 'A', redirectUris: ['javascript:alert(1)'], secret: 'env:NO_SUCH' },
      ],
    },
    lifetimes: { accessTokenSeconds: 3_600_000, denialSeconds: -1 },
    backends: {
      one: { ...snippets, upstream: undefined },
      two: { ...snippets, credential: { header: 'x-key', value: 'file:./missing' } },
      three: { ...snippets, path: '/Snippets/mcp', enter: { scopes: ['snippet.use'] } },
    },
  });
  const paths = faults.map(({ path }) => path);
  expect(paths.toSorted()).toEqual(
    [
      'publicURL',
      'entra.tenant[0]',
      'entra.clientId',
      'entra.credential.secret',
      'clients.metadataDocuments.allowLoopback',
      'clients.preRegistered[0].redirectUris[0]',
      'clients.preRegistered[0].secret',
      'lifetimes.accessTokenSeconds',
      'lifetimes.denialSeconds',
      'backends.one.upstream',
      'backends.two.credential.value',
      'backends.two.path',
      'backends.three.path',
      'backends.three.enter.scopes[0]',
    ].toSorted(),
  );
  for (const { problem, remedy } of faults) expect(`${problem}${remedy}`).not.toContain('undefined');
});

test.each([
  ['publicURL', 'publicUrl', { ...good, publicURL: 'x' }],
  ['backend', 'backends', { ...good, backend: {} }],
  ['entra.tenantId', 'tenant', withEntra({ tenantId: tenant })],
  ['entra.client_id', 'clientId', withEntra({ client_id: clientId })],
  ['entra.credential.manageIdentity', 'managedIdentity', withEntra({ credential: { manageIdentity: {} } })],
  ['backends.snippets.upsteam', 'upstream', withBackend({ upsteam: 'x' })],
  [
    'backends.snippets.tools.save_snippet.anyRoles',
    'anyRole',
    withBackend({ tools: { save_snippet: { anyRoles: ['x'] } } }),
  ],
])('the unknown key %s asks: did you mean %s', (path, meant, document) => {
  expect(faultsOf(document)).toContainEqual({
    path,
    problem: 'is not known',
    remedy: `Did you mean ${meant}?`,
  });
});

test('an unknown key like nothing known lists what is known', () => {
  const fault = faultsOf({ ...good, zzz: 1 })[0];
  expect(fault?.remedy).toMatch(/^Known here: publicUrl, listen, /);
});

test.each([
  ['entra.credential.secret', withEntra({ credential: { secret: hidden } })],
  ['entra.credential.secret', withEntra({ credential: { secret: `env: ${hidden}` } })],
  ['backends.snippets.credential.value', withBackend({ credential: { header: 'x-key', value: hidden } })],
  [
    'clients.preRegistered[0].secret',
    {
      ...good,
      clients: {
        preRegistered: [{ clientId: 'a', name: 'A', redirectUris: ['https://a.example/cb'], secret: hidden }],
      },
    },
  ],
  ['backends.snippets.credential', withBackend({ credential: hidden })],
  ['backends.snippets.upstream', withBackend({ upstream: `https://u:${hidden}@host/mcp` })],
  ['backends.snippets.upstream', withBackend({ upstream: `https://host/mcp?code=${hidden}` })],
  ['entra.credential', withEntra({ credential: `secret:${hidden}` })],
  ['store', { ...good, store: `postgres://u:${hidden}@host/db` }],
  [
    'backends.snippets.credential.value',
    withBackend({ credential: { header: 'x-key', value: 'env:BROKEN' } }),
  ],
  ['line 2, column 1', `publicUrl: {secret: ${hidden}\nentra: [`],
  ['line 1, column 4', `a: *${hidden}`],
  ['line 2, column 3', `tools:\n  *${hidden}: x`],
  ['allowedHosts[0]', { ...good, allowedHosts: [`https://u:${hidden}@host/${hidden}`] }],
])('D43 D57: a secret written at %s is refused without repeating it', (path, document) => {
  const faults = faultsOf(document);
  expect(faults.map((fault) => fault.path)).toContain(path);
  expect(JSON.stringify(faults)).not.toContain('hunter2');
});

test.each([
  ['unset', 'env:NO_SUCH', 'Set NO_SUCH'],
  ['empty', 'env:EMPTY', 'Set EMPTY'],
  ['a missing file', 'file:./missing', 'Check that it exists'],
])('a reference to something %s names it', (_name, value, remedy) => {
  const fault = faultsOf(withBackend({ credential: { header: 'x-key', value } }))[0];
  expect(fault?.path).toBe('backends.snippets.credential.value');
  expect(fault?.remedy).toContain(remedy);
});

test('a secret from a file loses the line end of the editor', () => {
  const config = loadGood(withBackend({ credential: { header: 'x-key', value: 'file:secret.txt' } }));
  expect(secretOf(config.backends[0])).toBe(hidden);
});

const invalid: readonly [string, string, unknown][] = [
  ['a path without slash', 'backends.snippets.path', withBackend({ path: 'snippets' })],
  ['a path that ends with a slash', 'backends.snippets.path', withBackend({ path: '/snippets/' })],
  ['a path with dot segments', 'backends.snippets.path', withBackend({ path: '/a/../token' })],
  ['a path with an escape', 'backends.snippets.path', withBackend({ path: '/%74oken' })],
  ['the root as path', 'backends.snippets.path', withBackend({ path: '/' })],
  ['a double slash', 'backends.snippets.path', withBackend({ path: '//host/mcp' })],
  ...[
    '/authorize',
    '/Token',
    '/register/x',
    '/revoke',
    '/consent',
    '/auth/callback',
    '/jwks',
    '/healthz',
    '/readyz',
    '/session',
    '/.well-known/x',
  ].map((path): [string, string, unknown] => [
    `the own route ${path}`,
    'backends.snippets.path',
    withBackend({ path }),
  ]),
  ['a file upstream', 'backends.snippets.upstream', withBackend({ upstream: 'file:///etc/passwd' })],
  ['an upstream with a tab', 'backends.snippets.upstream', withBackend({ upstream: 'http://h/\tmcp' })],
  ['a fragment upstream', 'backends.snippets.upstream', withBackend({ upstream: 'http://h/mcp#x' })],
  [
    'a hop-by-hop header',
    'backends.snippets.credential.header',
    withBackend({ credential: { header: 'Transfer-Encoding', value: 'env:FUNCTION_KEY' } }),
  ],
  [
    'a header with a line break',
    'backends.snippets.credential.header',
    withBackend({ credential: { header: 'x\r\ny', value: 'env:FUNCTION_KEY' } }),
  ],
  ['a scope with a space', 'backends.snippets.scopes[0]', withBackend({ scopes: ['a b'] })],
  [
    'a scope of OpenID Connect',
    'backends.snippets.scopes.offline_access',
    withBackend({ scopes: { offline_access: 'x' } }),
  ],
  ['no scope', 'backends.snippets.scopes', withBackend({ scopes: [] })],
  [
    'a role with a space',
    'backends.snippets.enter.anyRole[0]',
    withBackend({ enter: { anyRole: ['Snippets Reader'] } }),
  ],
  ['an empty role list', 'backends.snippets.enter.allRoles', withBackend({ enter: { allRoles: [] } })],
  ['a backend name with capitals', 'backends.Snippets', { ...good, backends: { Snippets: snippets } }],
  ['no backend', 'backends', { ...good, backends: {} }],
  ['a tenant by name', 'entra.tenant', withEntra({ tenant: 'contoso.onmicrosoft.com' })],
  ['a tenant in capitals', 'entra.tenant', withEntra({ tenant: tenant.toUpperCase() })],
  ['no tenant', 'entra.tenant', withEntra({ tenant: [] })],
  ['a number as tenant', 'entra.tenant', withEntra({ tenant: 7 })],
  [
    'two credentials',
    'entra.credential',
    withEntra({ credential: { secret: 'env:FUNCTION_KEY', managedIdentity: { clientId } } }),
  ],
  ['no credential', 'entra.credential', withEntra({ credential: {} })],
  [
    'a workload identity without its file',
    'entra.credential.workloadIdentity.tokenFile',
    withEntra({ credential: { workloadIdentity: {} } }),
  ],
  ['an unknown cloud', 'entra.cloud', withEntra({ cloud: 'germany' })],
  [
    'a cloud with a path',
    'entra.cloud.graphHost',
    withEntra({ cloud: { authorityHost: 'https://a.example', graphHost: 'https://a.example/v1.0' } }),
  ],
  ['a proxy that is no range', 'trustedProxies[0]', { ...good, trustedProxies: ['10.0.0.0/33'] }],
  ['a proxy by name', 'trustedProxies[0]', { ...good, trustedProxies: ['proxy.local'] }],
  ['a port out of range', 'listen.port', { ...good, listen: { port: 70_000 } }],
  [
    'a lifetime that is no whole number',
    'lifetimes.accessTokenSeconds',
    { ...good, lifetimes: { accessTokenSeconds: 90.5 } },
  ],
  [
    'a refresh token shorter than its access token',
    'lifetimes.refreshTokenSeconds',
    { ...good, lifetimes: { accessTokenSeconds: 3600, refreshTokenSeconds: 600 } },
  ],
  [
    'loopback documents in production',
    'clients.metadataDocuments.allowLoopback',
    { ...good, clients: { metadataDocuments: { allowLoopback: true } } },
  ],
  [
    'D24: a script redirect',
    'clients.redirectUris[0]',
    { ...good, clients: { redirectUris: ['javascript:alert(1)'] } },
  ],
  [
    'D24: a redirect with a fragment',
    'clients.redirectUris[0]',
    { ...good, clients: { redirectUris: ['cursor://x#y'] } },
  ],
  ['a rate of nothing', 'limits.token.requests', { ...good, limits: { token: { requests: 0 } } }],
  ['a list', 'the file', '- a\n- b'],
];
test.each(invalid)('%s is a fault at %s', (_name, path, document) => {
  const faults = faultsOf(document);
  expect(faults.map((fault) => fault.path)).toEqual([path]);
  expect(faults[0]?.remedy).not.toBe('');
});

test('two backends with one scope name need one sentence', () => {
  const one = { ...snippets, scopes: { 'x.use': 'Use x' } };
  const two = { ...snippets, path: '/two', scopes: { 'x.use': 'Use y' } };
  expect(faultsOf({ ...good, backends: { one, two } }).map(({ path }) => path)).toEqual([
    'backends.two.scopes["x.use"]',
  ]);
  expect(faultsOf({ ...good, backends: { one, two: { ...two, scopes: one.scopes } } })).toEqual([]);
});

test('an alias bomb and a repeated key are refused', () => {
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
  for (const [index, name] of ['b', 'c', 'd', 'e', 'f', 'g'].entries()) {
    const before = 'abcdef'[index];
    bomb.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${before}`).join()}]`);
  }
  expect(faultsOf(bomb.join('\n'))[0]).toMatchObject({
    problem: 'expands too many aliases',
  });
  expect(faultsOf('a: 1\na: 2')[0]).toMatchObject({
    path: 'line 2, column 1',
    problem: 'is not YAML (duplicate key)',
  });
});

test.each([
  ['in a map', 'tools:\n  *: { anyRole: [a] }', 2, 3],
  ['before a map of its own', 'tools:\n  *:\n    anyRole: [a]\nx: 1', 2, 3],
  ['as the beginning of a pattern', 'tools:\n  *_file: { anyRole: [a] }', 2, 3],
  ['between braces', 'tools: { *: { anyRole: [a] } }', 1, 10],
  ['in a list', 'allowedHosts: [*]', 1, 16],
  ['alone', 'store: *', 1, 8],
])('a star without quotes %s is said to need them, and nothing that comes of it is', (_name, text, ...at) => {
  const faults = faultsOf(text);
  expect(faults.map(({ path }) => path)).toEqual([`line ${at[0]}, column ${at[1]}`]);
  expect(faults[0]?.remedy).toMatch(/^Quote it/);
});

test('several stars are told at once, beside what is wrong before them; an anchor may be used', () => {
  const paths = faultsOf('a: 1\na: 2\nb: *\nc: [*x]').map(({ path }) => path);
  expect(paths).toEqual(['line 2, column 1', 'line 3, column 4', 'line 4, column 5']);
  const anchored = stringify(good)
    .replace('anyRole:', 'anyRole: &readers')
    .replace('tools:', 'prompts: { x: { anyRole: *readers } }\n    tools:');
  expect(faultsOf(anchored)).toEqual([]);
});

test.each([
  ['https://gateway.internal', 'Write gateway.internal,'],
  ['http://gateway.internal:8080/mcp', 'Write gateway.internal:8080,'],
  ['gateway.internal/mcp', 'Write gateway.internal,'],
  ['//gateway.internal', 'Write gateway.internal,'],
  ['*.contoso.com', 'Name each host'],
  ['https://*.contoso.com/x', 'Name each host'],
  ['', 'Write a name'],
  ['a b', 'Write a name'],
])('A2: the allowed host %j is told what to write', (host, remedy) => {
  const [fault, ...others] = faultsOf({ ...good, allowedHosts: ['fine:8080', host] });
  expect([fault?.path, others]).toEqual(['allowedHosts[1]', []]);
  expect(fault?.remedy).toContain(remedy);
});

test('a certificate is read with its key; a key of another one is found at once', async () => {
  const { execFileSync } = await import('node:child_process');
  const { mkdtempSync, readFileSync, writeFileSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const folder = mkdtempSync(`${tmpdir()}/valetkey-config-`);
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      '/CN=valetkey',
      '-keyout',
      `${folder}/key.pem`,
      '-out',
      `${folder}/cert.pem`,
    ],
    { stdio: 'ignore' },
  );
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  });
  writeFileSync(`${folder}/other.pem`, other);
  const run = (privateKeyFile: string, certificateFile = 'cert.pem') =>
    load(withEntra({ credential: { certificate: { certificateFile, privateKeyFile } } }), {
      baseDirectory: folder,
      readFile: (path) => readFileSync(path, 'utf8'),
    });
  expect(run('key.pem')).toMatchObject({
    ok: true,
    value: { entra: { credential: { kind: 'certificate' } } },
  });
  expect(run('other.pem')).toMatchObject({
    ok: false,
    error: [{ problem: 'does not belong to the certificate' }],
  });
  expect(run('cert.pem', 'key.pem')).toMatchObject({
    ok: false,
    error: [{ problem: 'is no PEM certificate' }, { problem: 'is no PEM private key, or is encrypted' }],
  });
});

test('a file that is not there is one fault', () => {
  expect(loadConfig({ source: { file: '/no/such/valetkey.yaml' }, env: {} })).toMatchObject({
    ok: false,
    error: [{ path: '/no/such/valetkey.yaml', problem: 'the configuration file cannot be read' }],
  });
});

test('A29: a client secret in production is a warning; on loopback it is not', () => {
  const entra = { ...good.entra, credential: { secret: 'env:FUNCTION_KEY' } };
  expect(listConfigWarnings(loadGood({ ...good, entra })).map(({ path }) => path)).toEqual([
    'entra.credential.secret',
  ]);
  expect(listConfigWarnings(loadGood({ ...good, entra, publicUrl: 'http://localhost:8080' }))).toEqual([]);
  expect(listConfigWarnings(loadGood(good))).toEqual([]);
});

test('what else is warned of: memory store, no audit, proxies for everybody, plain http with a credential', () => {
  const config = loadGood({
    ...withBackend({ upstream: 'http://backend.internal/mcp' }),
    store: 'sqlite::memory:',
    audit: { stdout: false },
    trustedProxies: ['0.0.0.0/0', '10.1.2.3'],
  });
  expect(config.trustedProxies).toEqual(['0.0.0.0/0', '10.1.2.3/32']);
  expect(config.store).toEqual({ driver: 'sqlite', path: ':memory:' });
  expect(listConfigWarnings(config).map(({ path }) => path)).toEqual([
    'store',
    'audit',
    'trustedProxies[0]',
    'backends.snippets.upstream',
  ]);
});

test('D43: printing the configuration in any way shows no secret', () => {
  const text = stringify(withEntra({ credential: { secret: 'env:FUNCTION_KEY' } }));
  const loaded = loadConfigFile({ ...surroundings, source: { text } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const { config } = loaded.value;
  const printed = printConfig(loaded.value);
  expect(printed).toContain('value: env:FUNCTION_KEY');
  expect(printed).toContain('resource: https://mcp.contoso.com/snippets/mcp');
  expect(`${printed}${JSON.stringify(config)}${inspect(config, { depth: 9 })}`).not.toContain('hunter2');
});

test('D32: hosts and origins beside publicUrl are none and any, until they are named', () => {
  expect(loadGood(good)).toMatchObject({ allowedHosts: [], allowedOrigins: 'any' });
  const named = { allowedHosts: ['gateway:8080'], allowedOrigins: ['https://inspector.contoso.com'] };
  expect(loadGood({ ...good, ...named })).toMatchObject(named);
});
