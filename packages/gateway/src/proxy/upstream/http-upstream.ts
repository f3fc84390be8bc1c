import { createGathered } from '../../http/gathered.ts';
import { createHeadParser } from './answer-head.ts';
import { Connection } from './connection.ts';
import { createRequestWriter } from './request-bytes.ts';
import {
  type AnswerHeaders,
  type Asking,
  type Upstream,
  UpstreamFault,
  type UpstreamOptions,
} from './upstream.ts';

/** Shorter than the five seconds after which Node and others close: a request must not meet a closing connection. */
const keepMs = 4000;
/** How much earlier than the backend says it would close. */
const marginMs = 1000;

/**
 * Plain http. Connections are as many as requests at a time; the one used last is used first, so that the others grow old
 * and are closed.
 */
export function openHttpUpstream(origin: string, { connectMs }: UpstreamOptions): Upstream {
  const url = new URL(origin);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port === '' ? 80 : url.port);
  const writeRequest = createRequestWriter(url.host);
  const all = new Set<Connection>();
  const free: Connection[] = [];
  const to = {
    host,
    port,
    connectMs,
    buffer: Buffer.allocUnsafeSlow(64 * 1024),
    parseHead: createHeadParser(),
  };
  let isClosed = false;
  const requests = createGathered((connection: Connection) => connection.write());
  const owner = {
    onFree(connection: Connection, headers: AnswerHeaders) {
      connection.usableUntilMs = performance.now() + keepMsOf(headers);
      free.push(connection);
    },
    onClosed: (connection: Connection) => void all.delete(connection),
    gather: (connection: Connection) => requests.add(connection),
  };
  const sweeper = setInterval(() => closeOld(free), 1000).unref();

  function takeConnection(): Connection {
    const now = performance.now();
    for (let connection = free.pop(); connection !== undefined; connection = free.pop()) {
      if (connection.isClosed) continue;
      if (connection.usableUntilMs > now) return connection;
      connection.close('idle');
    }
    const fresh = new Connection(to, owner);
    all.add(fresh);
    return fresh;
  }

  return {
    ask(request): Asking {
      if (isClosed) return { answer: Promise.reject(new UpstreamFault('gave_up')), giveUp() {} };
      const parts = writeRequest(request);
      return takeConnection().send(parts, request.firstByteMs);
    },
    async close() {
      isClosed = true;
      clearInterval(sweeper);
      for (const connection of all) connection.close('gave_up');
    },
  };
}

/** `Keep-Alive: timeout=5` is what Node's own server says. */
function keepMsOf(headers: AnswerHeaders): number {
  const said = /(?:^|[ ,])timeout=(\d{1,6})/i.exec(String(headers['keep-alive'] ?? ''))?.[1];
  return said === undefined ? keepMs : Math.min(keepMs, Number(said) * 1000 - marginMs);
}

function closeOld(free: Connection[]): void {
  const now = performance.now();
  const usable = free.splice(0).filter((connection) => !connection.isClosed);
  for (const connection of usable) {
    if (connection.usableUntilMs > now) free.push(connection);
    else connection.close('idle');
  }
}
