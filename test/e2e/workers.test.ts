/** Several processes behind one port: each step on whichever takes the connection, and one that dies is replaced. */
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AnyBackendConfig } from '@valetkey/gateway/config/config';
import { checkShareable, parseWorkers } from 'valetkey/workers';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { type KillableGateway, prepareGateway } from '../support/gateway-process.ts';
import { childPids } from '../support/child-pids.ts';
import { obtainTokens } from '../support/oauth-client.ts';
import { peopleOf } from '../support/product.ts';

let backend: CanaryBackend;
let gateway: KillableGateway;
beforeAll(async () => {
  backend = await startCanaryBackend();
  gateway = await prepareGateway(backend.url);
  await gateway.start('--workers', '2');
});
afterAll(async () => {
  await gateway.close();
  await backend.close();
});

/** Each on a connection of its own, so that the workers take turns. */
function call(token: string): Promise<number> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} });
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const sent = request(gateway.mcpUrl, { method: 'POST', headers, agent: new Agent() }, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.once('error', reject).end(body);
  });
}

const callTen = (token: string) => Promise.all(Array.from({ length: 10 }, () => call(token)));

const workerPids = () => childPids(gateway.pid());

test('A56: sign-in, calls and a revocation over two workers', async () => {
  expect(await workerPids()).toHaveLength(2);
  const people = peopleOf(gateway.emulator);
  const tokens = [];
  for (let round = 0; round < 4; round += 1) tokens.push(await obtainTokens(gateway, people.reader));
  for (const { accessToken } of tokens) expect(new Set(await callTen(accessToken))).toEqual(new Set([200]));
  const [first] = tokens;
  if (first === undefined) throw new Error('nobody signed in');
  await fetch(`${gateway.url}/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ token: first.refreshToken, client_id: first.clientId }),
  });
  await expect.poll(() => callTen(first.accessToken), { timeout: 2000 }).toEqual(Array(10).fill(401));
});

test('A28: a worker that is killed is replaced, and nobody has to sign in again', async () => {
  const { accessToken } = await obtainTokens(gateway, peopleOf(gateway.emulator).reader);
  const before = await workerPids();
  process.kill(before[0] ?? 0, 'SIGKILL');
  const fresh = async () => (await workerPids()).filter((pid) => !before.includes(pid)).length;
  await expect.poll(fresh, { timeout: 10_000 }).toBe(1);
  const said = gateway.said();
  await expect.poll(() => gateway.said().slice(said.length), { timeout: 10_000 }).toContain('worker ready');
  expect(new Set(await callTen(accessToken))).toEqual(new Set([200]));
});

test('SIGHUP reaches every worker; SIGTERM leaves none', async () => {
  const from = gateway.said().length;
  gateway.signal('SIGHUP');
  const reloads = () => gateway.said().slice(from).split('configuration reloaded').length - 1;
  await expect.poll(reloads, { timeout: 10_000 }).toBe(2);
  const pids = await workerPids();
  await gateway.stop();
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test.each(['0', 'many', '65', '-1'])('--workers %s is refused with what it takes', (count) => {
  expect(() => parseWorkers(count)).toThrow('--workers takes a number from 1 to 64, or auto');
});

test('a store in one process is not shared by several', () => {
  const inFile = { driver: 'sqlite', path: './valetkey.db' } as const;
  expect(checkShareable({ store: { driver: 'sqlite', path: ':memory:' }, backends: [] })).toContain(
    'sqlite::memory:',
  );
  expect(checkShareable({ store: inFile, backends: [] })).toBeUndefined();
  const older = { name: 'older', transport: 'sse' } as AnyBackendConfig;
  expect(checkShareable({ store: inFile, backends: [older] })).toContain('backends.older');
  expect(parseWorkers('auto')).toBeGreaterThan(0);
});
