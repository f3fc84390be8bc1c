import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { NodeHandler } from './door.ts';
import { openFetchFace } from './fetch-face.ts';

const url = 'http://localhost:3001/mcp?a=1';

test('the request arrives as it is, with the address of whoever sent it', async () => {
  const seen: unknown[] = [];
  const handler: NodeHandler = (req, res) => {
    const { method, url: target, headers, socket } = req;
    seen.push(method, target, headers.host, headers['x-a'], socket.remoteAddress);
    req.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
    const head = { 'content-type': 'text/plain', 'set-cookie': ['a=1', 'b=2'] };
    req.once('end', () => res.writeHead(201, head).end('done'));
  };
  const request = new Request(url, { method: 'POST', headers: { 'x-a': 'b' }, body: 'hello' });
  const response = await openFetchFace(handler)(request, { ip: '198.51.100.7' });
  expect(seen).toEqual(['POST', '/mcp?a=1', 'localhost:3001', 'b', '198.51.100.7', 'hello']);
  expect(response.status).toBe(201);
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  expect(response.headers.get('connection')).toBeNull();
  expect(await response.text()).toBe('done');
});

test.each([204, 304])('%i has no body', async (status) => {
  const face = openFetchFace((_req, res) => void res.writeHead(status).end());
  expect((await face(new Request(url))).body).toBeNull();
});

test('an event stream comes piece by piece, and ends for the handler when its reader leaves', async () => {
  const left = Promise.withResolvers<void>();
  const face = openFetchFace((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write('one');
    res.once('close', () => left.resolve());
  });
  const response = await face(new Request(url));
  const reader = response.body?.getReader();
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('one');
  await reader?.cancel();
  await left.promise;
});

test('a request that is given up is given up for the handler too', async () => {
  const abort = new AbortController();
  const arrived = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const face = openFetchFace((_req, res) => {
    arrived.resolve();
    void once(res, 'close').then(() => left.resolve());
  });
  const answer = face(new Request(url, { signal: abort.signal }));
  const refused = expect(answer).rejects.toThrow(/abort/i);
  await arrived.promise;
  abort.abort();
  await refused;
  await left.promise;
});

test('a body that breaks off breaks the request off, and nothing else', async () => {
  const face = openFetchFace((req, res) => void req.resume().once('end', () => res.end('whole')));
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(Buffer.from('half')),
    pull: () => Promise.reject(new Error('the line is dead')),
  });
  const broken = face(new Request(url, { method: 'POST', body, duplex: 'half' } as RequestInit));
  await expect(broken).rejects.toThrow();
  expect(await (await face(new Request(url, { method: 'POST', body: 'all' }))).text()).toBe('whole');
});
