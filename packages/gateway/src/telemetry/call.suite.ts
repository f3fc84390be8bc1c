/** One MCP call as telemetry sees it, without anything that takes time: what is left is the cost of looking. */
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '../config/config.ts';
import type { AuditRecord } from '../audit/sink.ts';
import type { Exchange } from '../http/exchange.ts';
import type { RequestWatch } from '../http/observer.ts';
import { openTelemetry } from './open-telemetry.ts';
import type { Telemetry } from './telemetry.ts';

export type Seeing = Pick<Config, 'telemetry' | 'accessLog'>;

export const prometheus: NonNullable<Config['telemetry']> = {
  serviceName: 'valetkey',
  metrics: { prometheus: { host: '127.0.0.1', port: 0 } },
};

export function openFor(seeing: Seeing): Promise<Telemetry> {
  const config = {
    publicUrl: 'https://mcp.contoso.com',
    store: { driver: 'sqlite', path: ':memory:' },
    clients: { preRegistered: [] },
    ...seeing,
  } as unknown as Config;
  const ignore = () => undefined;
  return openTelemetry(config, {
    clock: { nowMs: () => Date.now() },
    random: (size) => randomBytes(size),
    log: { error: ignore, warn: ignore },
  });
}

const record: AuditRecord = {
  time: '2026-06-01T12:00:00.000Z',
  event: 'mcp.call',
  outcome: 'success',
  correlationId: 'AbCdEfGhIjKlMnOpQrStUv',
  clientId: 'c-1',
  sessionId: 'session',
  method: 'tools/call',
};

class EndedResponse extends EventEmitter {
  readonly headersSent = true;
  readonly statusCode = 200;
  readonly writableFinished = true;
}

/** @returns makes one call; its only cost is that of the hooks and of three objects. */
export function createCaller({ requests, watchCall, onRecord }: Telemetry): () => void {
  const watch = watchCall?.({
    name: 'snippets',
    upstream: 'http://127.0.0.1:7071/mcp',
    rules: { tools: { get_snippet: {} } },
  });
  const operations = [{ method: 'tools/call', name: 'get_snippet' }];
  let count = 0;
  return () => {
    const res = new EndedResponse();
    const exchange: Exchange & { watch?: RequestWatch | undefined } = {
      id: `request-${(count += 1)}`,
      method: 'POST',
      url: new URL('https://mcp.contoso.com/snippets/mcp'),
      ip: '127.0.0.1',
      req: { headers: {}, socket: { bytesWritten: 0 } } as unknown as IncomingMessage,
      res: res as unknown as ServerResponse,
    };
    const request = requests?.begin(exchange);
    exchange.watch = request;
    request?.matched('/snippets/mcp');
    const work = () => {
      const call = watch?.(exchange);
      call?.authenticated('c-1');
      call?.asked({ operations });
      call?.judged();
      call?.forwarding.sending();
      call?.forwarding.answered({ status: 200 });
      onRecord?.(record);
      call?.ended({ outcome: 'success', httpStatus: 200 });
    };
    if (request === undefined) work();
    else request.run(work);
    res.emit('close');
  };
}
