import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig, loadConfigFile } from './load.ts';
import { printConfig } from './print.ts';
import { listConfigWarnings } from './warnings.ts';

const hidden = 'hunter2-super-secret-value';
const env = {
  TOOL_KEY: hidden,
  PATH: '/usr/bin',
  HOME: '/srv/me',
  GATEWAY_SECRET: hidden,
  LANG: '() { :; }; echo shellshock',
};

function load(backend: Record<string, unknown>, more: Record<string, unknown> = {}) {
  return loadConfigFile({
    source: {
      text: stringify({
        publicUrl: 'https://mcp.contoso.com',
        entra: {
          tenant: '8f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e',
          clientId: '31b2aaaa-4d0e-4b5c-9d0e-3f1a2b3c4d5e',
          credential: { managedIdentity: { clientId: '31b2aaaa-4d0e-4b5c-9d0e-3f1a2b3c4d5e' } },
        },
        backends: { files: { path: '/files/mcp', ...backend } },
        ...more,
      }),
    },
    baseDirectory: '/etc/valetkey',
    env,
    readFile: () => {
      throw new Error('none');
    },
  });
}

function faultsOf(backend: Record<string, unknown>) {
  const loaded = load(backend);
  return loaded.ok ? [] : loaded.error;
}

function goodFile(backend: Record<string, unknown>) {
  const loaded = load(backend);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value;
}

function good(backend: Record<string, unknown>) {
  return goodFile(backend).config;
}

test('a command is complete: program, words, folder, environment, bounds', () => {
  const loaded = goodFile({
    command: ['./bin/server', '--quiet'],
    args: ['--root', '$HOME; rm -rf /'],
    cwd: 'work',
    env: { TOOL_KEY: 'env:TOOL_KEY', LOG_LEVEL: 'debug' },
  });
  const [backend] = loaded.config.backends;
  expect(backend?.process).toMatchObject({
    command: '/etc/valetkey/bin/server',
    args: ['--quiet', '--root', '$HOME; rm -rf /'],
    cwd: '/etc/valetkey/work',
    inherited: { PATH: '/usr/bin', HOME: '/srv/me' },
    mode: 'perSession',
    identity: 'meta',
    idleSeconds: 600,
    maxProcesses: 50,
    maxMessageBytes: 10_485_760,
  });
  expect(backend?.process?.env['TOOL_KEY']?.reveal()).toBe(hidden);
  expect(Object.keys(backend?.process?.inherited ?? {}), 'nothing else of the gateway').toEqual([
    'PATH',
    'HOME',
  ]);
  expect(printConfig(loaded)).not.toContain(hidden);
});

test('a bare name is looked for in PATH, an absolute path is itself', () => {
  expect(good({ command: 'npx', args: ['-y', 'x'] }).backends[0]?.process?.command).toBe('npx');
  expect(good({ command: '/opt/x' }).backends[0]?.process?.command).toBe('/opt/x');
});

test('one person’s process that fails opens no circuit for all others; a shared one does', () => {
  expect(good({ command: 'x' }).backends[0]?.circuit.failures).toBe(0);
  expect(good({ command: 'x', mode: 'shared' }).backends[0]?.circuit.failures).toBeGreaterThan(0);
});

const upstream = 'http://127.0.0.1:7071/mcp';

test.each<[string, Record<string, unknown>, string]>([
  ['neither server nor command', {}, 'upstream'],
  ['both', { upstream, command: 'x' }, 'command'],
  ['a command and a transport', { command: 'x', transport: 'sse' }, 'transport'],
  ['a server and an environment', { upstream, env: { A: 'b' } }, 'env'],
  ['a server and a mode', { upstream, mode: 'shared' }, 'mode'],
  [
    'a shared process that is told once',
    { command: 'x', mode: 'shared', identity: 'environment' },
    'identity',
  ],
  ['a credential for a command', { command: 'x', credential: { identityJwt: {} } }, 'credential'],
  ['a health check for a command', { command: 'x', health: {} }, 'health'],
  [
    'a time-out for connecting to a command',
    { command: 'x', timeouts: { connectMs: 10_000 } },
    'timeouts.connectMs',
  ],
  [
    'a time-out within an answer of a command',
    { command: 'x', timeouts: { idleMs: 1000 } },
    'timeouts.idleMs',
  ],
  [
    'a time-out within an answer of an older server',
    { upstream, transport: 'sse', timeouts: { idleMs: 1000 } },
    'timeouts.idleMs',
  ],
  ['a line for a shell', { command: 'node server.js' }, 'command'],
  ['no word', { command: [] }, 'command'],
  ['an empty word', { command: ['node', ''] }, 'command[1]'],
  [
    'a variable that is ours',
    { command: 'x', env: { VALETKEY_PERSON_OBJECT_ID: 'admin' } },
    'env.VALETKEY_PERSON_OBJECT_ID',
  ],
  ['a variable with an odd name', { command: 'x', env: { 'A=B': 'c' } }, 'env["A=B"]'],
  ['a variable that is not set', { command: 'x', env: { A: 'env:NOT_SET' } }, 'env.A'],
  ['a broken reference', { command: 'x', env: { A: 'env:not valid' } }, 'env.A'],
  ['a secret in the file', { command: 'x', env: { API_KEY: hidden } }, 'env.API_KEY'],
  ['an unknown transport', { upstream, transport: 'websocket' }, 'transport'],
  [
    'a legacy stream elsewhere',
    { upstream, legacySse: { sse: '/sse', message: '/message' } },
    'legacySse.sse',
  ],
  [
    'one address twice',
    { upstream, legacySse: { sse: '/files/mcp', message: '/files/mcp' } },
    'legacySse.message',
  ],
  [
    'a legacy address of the gateway',
    { upstream, legacySse: { sse: '/files/mcp', message: '/token' } },
    'legacySse.message',
  ],
])('%s is refused with its place and a remedy', (_case, backend, place) => {
  const faults = faultsOf(backend);
  expect(faults.map(({ path }) => path)).toContain(`backends.files.${place}`.replace('.["', '["'));
  for (const { remedy } of faults) expect(remedy).toMatch(/\w/);
  expect(JSON.stringify(faults)).not.toContain(hidden);
});

test('each kind takes the time-outs that it has, and connects in ten seconds unless it says otherwise', () => {
  const timeoutsOf = (backend: Record<string, unknown>) => good(backend).backends[0]?.timeouts;
  expect(timeoutsOf({ command: 'x', timeouts: { firstByteMs: 500 } })).toMatchObject({ firstByteMs: 500 });
  const all = { connectMs: 200, firstByteMs: 500, idleMs: 900 };
  expect(timeoutsOf({ upstream, timeouts: all })).toEqual(all);
  const { idleMs: _no, ...older } = all;
  expect(timeoutsOf({ upstream, transport: 'sse', timeouts: older })).toEqual(older);
  expect(timeoutsOf({ upstream })).toEqual({ connectMs: 10_000, firstByteMs: 60_000 });
});

test('the tutorial’s addresses and the gateway sample’s can both be written', () => {
  const tutorial = good({ path: '/sse', upstream, legacySse: { sse: '/sse', message: '/message' } });
  expect(tutorial.backends[0]?.legacySse).toEqual({ sse: '/sse', message: '/message' });
  const sample = good({ path: '/mcp', upstream, legacySse: { sse: '/mcp/sse', message: '/mcp/message' } });
  expect(sample.backends[0]?.legacySse).toEqual({ sse: '/mcp/sse', message: '/mcp/message' });
});

test('two backends cannot share an address, be it an older one', () => {
  const legacySse = { sse: '/one/sse', message: '/two' };
  const loaded = loadConfig({
    source: {
      text: stringify({
        publicUrl: 'https://mcp.contoso.com',
        entra: {
          tenant: '8f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e',
          clientId: '31b2aaaa-4d0e-4b5c-9d0e-3f1a2b3c4d5e',
          credential: { managedIdentity: { clientId: '31b2aaaa-4d0e-4b5c-9d0e-3f1a2b3c4d5e' } },
        },
        backends: { one: { path: '/one', upstream, legacySse }, two: { path: '/Two', upstream } },
      }),
    },
    env: {},
  });
  expect(loaded.ok ? [] : loaded.error.map(({ path }) => path)).toEqual(['backends.two.path']);
});

test('a session that lives in one process is warned about where the store is for several', () => {
  const warningsWith = (store: string, backend: Record<string, unknown>) => {
    const loaded = load(backend, { store });
    return loaded.ok ? listConfigWarnings(loaded.value.config).map(({ path }) => path) : [];
  };
  expect(warningsWith('rediss://redis:6379', { command: 'x' })).toContain('backends.files.mode');
  expect(warningsWith('rediss://redis:6379', { upstream, transport: 'sse' })).toContain(
    'backends.files.transport',
  );
  expect(warningsWith('rediss://redis:6379', { command: 'x', mode: 'shared' }).join()).not.toContain('mode');
  expect(warningsWith('sqlite:./x.db', { command: 'x' }).join()).not.toContain('mode');
});

test('HTTP+SSE toward the backend', () => {
  expect(good({ upstream, transport: 'sse' }).backends[0]).toMatchObject({ upstream, transport: 'sse' });
  expect(good({ upstream, transport: 'streamableHttp' }).backends[0]).not.toHaveProperty('transport');
});
