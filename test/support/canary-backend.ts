/** A backend that answers everything and remembers all that reached it: a request that is here got past the gateway. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Arrival {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

export interface CanaryBackend {
  readonly url: string;
  readonly arrivals: Arrival[];
  close(): Promise<void>;
}

/** What a backend says in place of its answer: a 401, a 500. */
export interface CanaryRefusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `initialize` opens a session, as a backend of the legacy era does; `subscriptions/listen` a stream; all else is echoed. */
export async function startCanaryBackend(
  refuse: (arrival: Arrival) => CanaryRefusal | undefined = () => undefined,
): Promise<CanaryBackend> {
  const arrivals: Arrival[] = [];
  const server = createServer((req, res) => void answer(req, res));
  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readText(req);
    const arrival = { method: req.method ?? '', url: req.url ?? '', rawHeaders: req.rawHeaders, body };
    arrivals.push(arrival);
    const refusal = refuse(arrival);
    if (refusal !== undefined) return void res.writeHead(refusal.status, refusal.headers).end('{}');
    if (body.includes('"initialize"')) res.setHeader('mcp-session-id', `session-${arrivals.length}`);
    if (body.includes('"subscriptions/listen"')) return openStream(res);
    res.writeHead(200, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { arrived: true } }));
  }
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    arrivals,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function openStream(res: ServerResponse): void {
  const message = { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: {} };
  res.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${JSON.stringify(message)}\n\n`);
}

/** Every value of a header, in any case. */
export function headerValues(arrival: Arrival | undefined, name: string): string[] {
  const raw = arrival?.rawHeaders ?? [];
  return raw.filter((_value, index) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === name);
}

async function readText(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
