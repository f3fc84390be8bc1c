/**
 * A backend on a bare socket, for tests of what reaches it: it reads every byte strictly, and notes whatever is not
 * exactly one whole request of the gateway. A lenient parser would forgive the very request that was smuggled.
 *
 * It answers with who the caller is, as the gateway says, so that one person's answer can be told from another's.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface Arrived {
  readonly method: string;
  readonly path: string;
  /** In the order of arrival; names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export interface RawBackend {
  readonly url: string;
  readonly arrived: Arrived[];
  /** What no gateway may send: an odd byte, a request without an identity, one that a client made up. */
  readonly faults: string[];
  /** Event streams that are open now. */
  readonly streaming: () => number;
  close(): Promise<void>;
}

/** The `method` of a message that asks for an event stream without end. */
export const streamMethod = 'test/stream';
/** What a smuggled request calls its headers and its method. */
export const smuggledMark = 'smuggled';

const endOfHead = '\r\n\r\n';
const eventEveryMs = 20;

export async function startRawBackend(): Promise<RawBackend> {
  const arrived: Arrived[] = [];
  const faults: string[] = [];
  const sockets = new Set<Socket>();
  const streaming = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    readRequests(socket, (taken) => {
      if (typeof taken === 'string') {
        faults.push(taken);
        socket.destroy();
        return;
      }
      arrived.push(taken);
      faults.push(...faultsOf(taken));
      if (!answer(socket, taken)) return;
      streaming.add(socket);
      socket.once('close', () => streaming.delete(socket));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    arrived,
    faults,
    streaming: () => streaming.size,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** One whole request after the other, or what is wrong with the first that is none. */
function readRequests(socket: Socket, take: (taken: Arrived | string) => void): void {
  let pending = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    for (let taken = takeRequest(pending); taken !== undefined; taken = takeRequest(pending)) {
      if (typeof taken === 'string') return take(taken);
      pending = pending.subarray(taken.bytes);
      take(taken.request);
    }
  });
}

interface Taken {
  readonly request: Arrived;
  readonly bytes: number;
}

/** @returns the first whole request, undefined while it is none, or what is wrong with it. */
function takeRequest(pending: Buffer): Taken | string | undefined {
  const headEnd = pending.indexOf(endOfHead);
  if (headEnd < 0) return undefined;
  const head = pending.subarray(0, headEnd).toString('latin1');
  const [requestLine = '', ...lines] = head.split('\r\n');
  const [, method, path] = /^([A-Z]+) (\/[\x21-\x7e]*) HTTP\/1\.1$/.exec(requestLine) ?? [];
  if (method === undefined || path === undefined) return `request line ${JSON.stringify(requestLine)}`;
  const headers: [string, string][] = [];
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~\dA-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return `header line ${JSON.stringify(line)}`;
    headers.push([name.toLowerCase(), value]);
  }
  const lengths = valuesOf(headers, 'content-length');
  if (valuesOf(headers, 'transfer-encoding').length > 0)
    return 'a body in chunks, which the gateway never sends';
  if (lengths.length > 1 || !/^\d*$/.test(lengths[0] ?? '')) return `lengths ${JSON.stringify(lengths)}`;
  const bodyStart = headEnd + endOfHead.length;
  const bytes = bodyStart + Number(lengths[0] ?? 0);
  if (pending.length < bytes) return undefined;
  const body = pending.subarray(bodyStart, bytes).toString();
  return { request: { method, path, headers, body }, bytes };
}

const ownedByTheGateway = ['host', 'x-valetkey-identity', 'x-valetkey-object-id', 'x-request-id'];

function faultsOf({ method, path, headers, body }: Arrived): string[] {
  const about = `${method} ${path} ${body.slice(0, 200)}`;
  const faults = ownedByTheGateway
    .filter((name) => valuesOf(headers, name).length !== 1)
    .map((name) => `${name} is there ${valuesOf(headers, name).length} times: ${about}`);
  const names = headers.map(([name]) => name);
  if (signedPersonOf({ headers }) !== valuesOf(headers, 'x-valetkey-object-id')[0])
    faults.push(`an identity that is not the gateway's: ${about}`);
  if (path !== '/mcp') faults.push(`another path: ${about}`);
  if (names.some((name) => name.includes(smuggledMark))) faults.push(`a smuggled header: ${about}`);
  if (names.includes('authorization') || names.includes('cookie'))
    faults.push(`the client's secret: ${about}`);
  if (method === 'POST' && !isMessage(body)) faults.push(`no message: ${about}`);
  if (body.includes(`"${smuggledMark}"`)) faults.push(`a smuggled call: ${about}`);
  return faults;
}

function isMessage(body: string): boolean {
  try {
    return typeof JSON.parse(body) === 'object';
  } catch {
    return false;
  }
}

export function valuesOf(headers: Arrived['headers'], name: string): string[] {
  return headers.filter(([each]) => each === name).map(([, value]) => value);
}

/** Who the signed identity says the caller is. Not verified: that is another test's. */
export function signedPersonOf({ headers }: Pick<Arrived, 'headers'>): string {
  const payload = valuesOf(headers, 'x-valetkey-identity')[0]?.split('.')[1] ?? '';
  try {
    const { oid } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { oid?: unknown };
    return String(oid);
  } catch {
    return 'unreadable';
  }
}

/** @returns whether it is a stream. */
function answer(socket: Socket, request: Arrived): boolean {
  const [plain = ''] = valuesOf(request.headers, 'x-valetkey-object-id');
  const result = { plain, signed: signedPersonOf(request), echo: request.body };
  if (request.body.includes(`"${streamMethod}"`)) {
    stream(socket, result);
    return true;
  }
  const body = JSON.stringify({ jsonrpc: '2.0', id: idOf(request.body), result });
  const length = Buffer.byteLength(body);
  socket.write(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`,
  );
  return false;
}

function idOf(body: string): unknown {
  const message = body === '' ? {} : (JSON.parse(body) as { id?: unknown });
  return message.id ?? 0;
}

/** Until the other side leaves. */
function stream(socket: Socket, result: unknown): void {
  socket.write(
    'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n',
  );
  const event = `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: result })}\n\n`;
  const chunk = `${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`;
  socket.write(chunk);
  const timer = setInterval(() => socket.write(chunk), eventEveryMs);
  socket.once('close', () => clearInterval(timer));
}
