import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { holdAnswer } from './held-answer.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const eventStream = { 'content-type': 'text/event-stream' };

test('what the handler writes passes as it was written', async () => {
  const url = await serve((_req, res) => {
    holdAnswer(res, () => false);
    res.writeHead(201, { 'x-own': 'yes' });
    res.write('one ');
    res.end('two');
  });
  const answer = await fetch(url, { method: 'POST' });
  expect([answer.status, answer.headers.get('x-own'), await answer.text()]).toEqual([201, 'yes', 'one two']);
});

test('an answer is replaced as long as no byte of it has been written, and what follows goes nowhere', async () => {
  const written = vi.fn<() => void>();
  const url = await serve((_req, res) => {
    holdAnswer(res, () => {
      res.writeHead(403, { 'content-type': 'text/plain' }).end('no');
      return true;
    });
    res.writeHead(200, eventStream);
    res.flushHeaders();
    res.write('data: 1\n\n', written);
    res.end('data: 2\n\n', written);
  });
  const answer = await fetch(url, { method: 'POST' });
  expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
    403,
    'text/plain',
    'no',
  ]);
  expect(written).toHaveBeenCalledTimes(2);
});

test('A54: a stream that a client listens to gets its head at once', async () => {
  const url = await serve((_req, res) => {
    holdAnswer(res, () => true);
    res.writeHead(200, eventStream);
  });
  const answer = await fetch(url);
  expect(answer.status).toBe(200);
  await answer.body?.cancel();
});

test('a tool that says nothing for long has its head sent', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const url = await serve((_req, res) => {
      holdAnswer(res, () => true);
      res.writeHead(200, eventStream);
      vi.advanceTimersByTime(5000);
    });
    const answer = await fetch(url, { method: 'POST' });
    expect(answer.status).toBe(200);
    await answer.body?.cancel();
  } finally {
    vi.useRealTimers();
  }
});
