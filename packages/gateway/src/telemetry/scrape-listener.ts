/** The listener that a Prometheus server scrapes: its own port, one path, nothing else behind it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isLoopbackHost } from '@valetkey/core/base/url';
import type { Logger } from 'pino';
import { closeGracefully, listen } from '../http/server.ts';

export interface ScrapeListener {
  readonly port: number;
  close(): Promise<void>;
}

export interface ScrapeListenerOptions {
  readonly host: string;
  readonly port: number;
  /** The page; one at a time, however many ask. */
  readonly render: () => Promise<string>;
  readonly log: Pick<Logger, 'warn'>;
}

/** @throws the system's error, such as `EADDRINUSE`. */
export async function openScrapeListener(options: ScrapeListenerOptions): Promise<ScrapeListener> {
  const { host, port, render, log } = options;
  // A page of another site can lead a browser here by a name of its own (DNS rebinding); a scraper has no browser.
  const isHostChecked = isLoopbackHost(host);
  const once = shareUnderWay(render);

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (isHostChecked && !isLoopbackName(req.headers.host)) return end(res, 403, 'foreign host\n');
    if (req.url?.split('?')[0] !== '/metrics') return end(res, 404, 'metrics are at /metrics\n');
    if (req.method !== 'GET' && req.method !== 'HEAD') return end(res, 405, 'GET only\n');
    end(res, 200, await once());
  }

  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 8 * 1024 },
    (req, res) => {
      answer(req, res).catch((fault: unknown) => {
        log.warn(
          { reason: fault instanceof Error ? fault.name : 'unknown' },
          'metrics could not be collected',
        );
        end(res, 500, 'metrics could not be collected\n');
      });
    },
  );
  const taken = await listen(server, host, port);
  return { port: taken.port, close: () => closeGracefully(server, 500) };
}

/** Whoever asks while the work is under way gets what it gives: a flood of scrapes makes one page. */
export function shareUnderWay<Value>(work: () => Promise<Value>): () => Promise<Value> {
  let underWay: Promise<Value> | undefined;
  return () =>
    (underWay ??= work().finally(() => {
      underWay = undefined;
    }));
}

function isLoopbackName(host: string | undefined): boolean {
  return isLoopbackHost(URL.parse(`http://${host ?? ''}`)?.hostname ?? '');
}

function end(res: ServerResponse, status: number, text: string): void {
  res
    .writeHead(status, {
      'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    })
    .end(text);
}
