import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from './load.ts';
import { listConfigWarnings } from './warnings.ts';

const folder = mkdtempSync(join(tmpdir(), 'valetkey-programs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'bin/sub'), { recursive: true });
writeFileSync(join(folder, 'bin/there'), '#!/bin/sh\n');
writeFileSync(join(folder, 'bin/text'), 'no program');
chmodSync(join(folder, 'bin/there'), 0o755);
const bin = join(folder, 'bin');

function warningsOf(backend: Record<string, unknown>, env: Record<string, string> = { PATH: bin }) {
  const clientId = '31b2aaaa-4d0e-4b5c-9d0e-3f1a2b3c4d5e';
  const credential = { managedIdentity: { clientId } };
  const loaded = loadConfig({
    source: {
      text: stringify({
        publicUrl: 'http://localhost:8080',
        entra: { tenant: '8f5c0c1e-4d0e-4b5c-9d0e-3f1a2b3c4d5e', clientId, credential },
        backends: { files: { path: '/files/mcp', ...backend } },
      }),
    },
    baseDirectory: folder,
    env,
  });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return listConfigWarnings(loaded.value).map(({ path, problem }) => `${path} ${problem}`);
}

test.each<[string, Record<string, unknown>, Record<string, string>?]>([
  ['a name in PATH', { command: ['there', '--flag'] }],
  ['a path from the file on', { command: './bin/there' }],
  ['an absolute path', { command: join(bin, 'there') }],
  [
    'a name in the PATH that the file gives it',
    { command: 'there', env: { PATH: bin } },
    { PATH: '/nowhere' },
  ],
  ['a PATH from the folder on that it runs in', { command: 'there', cwd: 'bin' }, { PATH: '/nowhere:.' }],
  ['no PATH at all', { command: 'sh' }, {}],
  ['a server', { upstream: 'http://127.0.0.1:7071/mcp' }],
])('a program that is there is not warned about: %s', (_case, backend, env) => {
  expect(warningsOf(backend, env)).toEqual([]);
});

const notInPath = 'backends.files.command is not found in the PATH of the command';
const noFile = 'backends.files.command is no file here that can be run';
test.each<[string, Record<string, unknown>, string]>([
  ['a name that nothing has', { command: 'nonesuch' }, notInPath],
  ['the name of a folder', { command: 'sub' }, notInPath],
  ['a name that only the gateway would find', { command: 'there', env: { PATH: '/nowhere' } }, notInPath],
  ['a path to nothing', { command: './bin/nonesuch' }, noFile],
  ['a file that cannot be run', { command: './bin/text' }, noFile],
  [
    'a folder that is not there',
    { command: 'there', cwd: 'nowhere' },
    'backends.files.cwd is no folder here, so the command cannot be started',
  ],
])('a program that is missing is warned about, on loopback too: %s', (_case, backend, warning) => {
  expect(warningsOf(backend)).toEqual([warning]);
});
