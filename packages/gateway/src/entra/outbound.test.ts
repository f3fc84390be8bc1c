import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createTestClock } from '../session/sealed-store.suite.ts';
import { createMsalNetwork, parseRetryAfter } from './msal-network.ts';
import { openOutbound, OutboundFailed } from './outbound.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('ToolHive #6351: a redirect is an answer, never followed', async () => {
  let requests = 0;
  const origin = await serve((_, response) => {
    requests += 1;
    response.writeHead(302, { location: '/elsewhere' }).end();
  });
  const answer = await openOutbound().send({ method: 'GET', url: `${origin}/` });
  expect(answer.status).toBe(302);
  expect(requests).toBe(1);
});

test('an answer that is too long, too slow or cut off fails, and names no part of the request', async () => {
  const long = await serve((_, response) => response.end('x'.repeat(2000)));
  const slow = await serve(() => {});
  const cut = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('x');
    response.destroy();
  });
  const outbound = openOutbound({ maxBytes: 1000, timeoutMs: 100 });
  for (const origin of [long, slow, cut]) {
    const failed: unknown = await outbound
      .send({ method: 'POST', url: `${origin}/token?secret=in-url`, body: 'client_secret=in-body' })
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(OutboundFailed);
    expect(String(failed)).not.toMatch(/in-url|in-body/u);
  }
});

test('a CA file that is missing or holds no certificate is found at start', () => {
  expect(() => openOutbound({ caFile: '/nowhere/ca.pem' })).toThrow('/nowhere/ca.pem');
  expect(() => openOutbound({ caFile: import.meta.filename })).toThrow('no PEM certificate');
});

test('MSAL reaches the authority and no other host', async () => {
  const origin = await serve((_, response) => response.end('{}'));
  const clock = createTestClock(0);
  const network = createMsalNetwork({ outbound: openOutbound(), clock, onlyOrigin: 'https://login.example' });
  await expect(network.module.sendPostRequestAsync(`${origin}/token`)).rejects.toThrow('not the authority');
  expect(network.last().failed).toBeInstanceOf(OutboundFailed);
});

test.each([
  [undefined, undefined],
  ['17', 17],
  ['0', 1],
  ['999999', 3600],
  ['Thu, 01 Jan 2026 00:00:30 GMT', 30],
  ['Wed, 31 Dec 2025 23:00:00 GMT', 1],
  ['soon', undefined],
])('A26: Retry-After %s is %s seconds', (header, seconds) => {
  expect(parseRetryAfter(header, createTestClock(Date.UTC(2026, 0, 1)))).toBe(seconds);
});
