import { expect, test } from 'vitest';
import { loadConfig } from './load.ts';

const good = {
  publicUrl: 'http://localhost:8080',
  entra: {
    tenant: '8f5c1d0e-5b1f-4c2a-9d3e-2f6a7b8c9d0e',
    clientId: '31b2a4c6-7d8e-4f90-a1b2-c3d4e5f60718',
    credential: { workloadIdentity: { tokenFile: './token' } },
  },
};
const files = { path: '/files/mcp', upstream: 'http://127.0.0.1:7071/mcp' };

function faultsOf(document: Record<string, unknown>): readonly string[] {
  const loaded = loadConfig({ source: { text: JSON.stringify({ ...good, ...document }) }, env: {} });
  return loaded.ok ? [] : loaded.error.map(({ path, problem, remedy }) => `${path} ${problem}. ${remedy}`);
}

test.each([
  ['a number, too small', { maxStreams: 0 }, 'maxStreams is too small. Write at least 1'],
  ['a number, too large', { queueMs: 1e9 }, 'queueMs is too large. Write at most 60000'],
  ['an empty list', { enter: { anyRole: [] } }, 'enter.anyRole has too few entries. Write at least 1 entry'],
  ['an empty text', { title: '' }, 'title is empty or too short. Write at least 1 character'],
  [
    'a number where a text belongs',
    { env: { LC: 1 } },
    'env.LC has the wrong type. Write a text, in quotes if need be',
  ],
  [
    'true where a map belongs',
    { legacySse: true },
    'legacySse has the wrong type. Write a map with sse, message',
  ],
  [
    'a word where a word or a map belongs',
    { credential: 'secret' },
    'credential has the wrong type. Write none, or a map with header, value, managedIdentity, entra, identityJwt',
  ],
  [
    'a queue for nothing',
    { maxQueued: 5 },
    'maxQueued stands without maxConcurrent. Write maxConcurrent too, or remove it',
  ],
])('%s is told with what to write', (_name, change, expected) => {
  expect(faultsOf({ backends: { files: { ...files, ...change } } })).toEqual([`backends.files.${expected}`]);
});

test('of more than two kinds, each is told', () => {
  const [fault] = faultsOf({ backends: { files }, accessLog: 'file' });
  expect(fault).toBe(
    'accessLog has the wrong type. Write one of off, stdout, or true or false, or a map with file',
  );
});
