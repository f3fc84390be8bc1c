/** What a native MCP client opens on the person's machine to get its answer: a loopback listener (RFC 8252 §7.3). */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LoopbackCallback {
  /** `http://127.0.0.1:port/callback` */
  readonly url: string;
  /** The whole query of the next answer, undecoded; answers that came before count. */
  nextQuery(timeoutMs?: number): Promise<string>;
  /** How many answers came so far. */
  readonly count: () => number;
  close(): Promise<void>;
}

export async function openLoopbackCallback(): Promise<LoopbackCallback> {
  const arrived: string[] = [];
  const waiting: ((query: string) => void)[] = [];
  let count = 0;
  const server = createServer((req, res) => {
    const [path = '', query = ''] = (req.url ?? '').split('?', 2);
    if (path !== '/callback') return res.writeHead(404).end();
    count += 1;
    const next = waiting.shift();
    if (next === undefined) arrived.push(query);
    else next(query);
    return res
      .writeHead(200, { 'content-type': 'text/html', connection: 'close' })
      .end('<!doctype html><title>done</title><h1 id="done">You can close this window</h1>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/callback`,
    count: () => count,
    nextQuery(timeoutMs = 10_000) {
      const query = arrived.shift();
      if (query !== undefined) return Promise.resolve(query);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`the client's loopback redirect was not reached within ${timeoutMs} ms`)),
          timeoutMs,
        );
        waiting.push((found) => {
          clearTimeout(timer);
          resolve(found);
        });
      });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
