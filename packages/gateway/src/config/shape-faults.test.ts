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
    { title: 1 },
    'title has the wrong type. Write a text, in quotes if need be',
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
  [
    'a time in a queue that nobody may wait in',
    { maxConcurrent: 5, queueMs: 500 },
    'queueMs stands without maxQueued. Write maxQueued too, or remove it',
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

test('what has no place there is told so, and not first that it is too small', () => {
  const command = { path: '/files/mcp', command: 'x' };
  const told = (change: object) => faultsOf({ backends: { files: { ...command, ...change } } });
  expect(told({ timeouts: { idleMs: 3 } })).toEqual([
    'backends.files.timeouts.idleMs is for a backend with `upstream`. Remove it: a command answers in one line',
  ]);
  const circuit = 'backends.files.circuit is for a backend that everybody shares';
  expect(told({ circuit: { failures: 3 } })).toEqual([expect.stringContaining(circuit)]);
  expect(told({ circuit: { failures: -1 } })).toContainEqual(expect.stringContaining(circuit));
  expect(told({ mode: 'shared', circuit: { failures: 3 } })).toEqual([]);
  expect(told({ mode: 'shraed', circuit: { failures: 3 } })).toEqual([
    expect.stringContaining('backends.files.mode is not one of'),
  ]);
  expect(told({ timeouts: { idelMs: 3 } })).toEqual([expect.stringContaining('Did you mean idleMs?')]);
  const server = faultsOf({ backends: { files: { ...files, idleSeconds: 0 } } });
  expect(server).toEqual(['backends.files.idleSeconds is for a backend with `command`. Remove it']);
});

test('two credentials are told beside what is wrong with one of them, and a missing id says whose', () => {
  const faultsWith = (credential: object) =>
    faultsOf({ backends: { files }, entra: { ...good.entra, credential } });
  const id =
    'entra.credential.managedIdentity.clientId is missing. Write a text, in quotes if need be. ' +
    'Client id of the user-assigned managed identity.';
  expect(faultsWith({ managedIdentity: {} })).toEqual([id]);
  expect(faultsWith({ secret: 'not-a-reference', managedIdentity: {} })).toEqual([
    id,
    expect.stringContaining('entra.credential.secret'),
    expect.stringContaining('entra.credential names 2 credentials. Write exactly one of managedIdentity,'),
  ]);
  expect(faultsWith({})).toEqual([expect.stringContaining('entra.credential names no credential.')]);
  const credential = { managedIdentity: {}, identityJwt: 5 };
  expect(faultsOf({ backends: { files: { ...files, credential } } })).toEqual(
    expect.arrayContaining([
      expect.stringContaining('backends.files.credential names 2 credentials. Write exactly one of header,'),
      expect.stringContaining('credential.identityJwt has the wrong type'),
    ]),
  );
});
