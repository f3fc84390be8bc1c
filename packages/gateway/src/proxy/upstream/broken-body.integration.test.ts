import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { openHttpUpstream } from './http-upstream.ts';
import { openUndiciUpstream } from './undici-upstream.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const noHeaders = { passed: [], also: [], own: [] };
const openers = { 'our own client': openHttpUpstream, undici: openUndiciUpstream };

test.each(
  Object.entries(openers).flatMap(([name, open]) =>
    (['destroy', 'resetAndDestroy'] as const).map((how) => [name, how, open] as const),
  ),
)(
  'A22 D15: %s: a body that breaks (%s) before anybody reads it ends nothing else',
  async (_name, how, open) => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    const upstream = open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { connectMs: 1000 });
    closers.push(() => upstream.close());
    const crashes: unknown[] = [];
    const onCrash = (fault: unknown) => void crashes.push(fault);
    process.on('uncaughtExceptionMonitor', onCrash);
    closers.push(async () => process.off('uncaughtExceptionMonitor', onCrash));

    const asked = { path: '/', method: 'GET', headers: noHeaders, body: undefined, firstByteMs: 5000 };
    const { body } = await upstream.ask(asked).answer;
    const closed = new Promise((resolve) => body.once('close', resolve));
    const [socket] = sockets;
    const gone = socket === undefined ? Promise.resolve() : once(socket, 'close');
    socket?.[how]();
    await Promise.all([closed, gone]);
    expect(crashes).toEqual([]);
    // Whoever reads it now hears of it.
    await expect(body.toArray()).rejects.toThrow();
  },
);
