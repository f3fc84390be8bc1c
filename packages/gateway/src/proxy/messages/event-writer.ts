/** Writes messages to a client as an event stream (WHATWG HTML §9.2), one whole event at a time. */
import type { ServerResponse } from 'node:http';
import type { RewriteMessage } from '../response-filter.ts';
import { type KeepAlive, keepAliveComment } from '../keep-alive.ts';
import type { Wait } from './message-link.ts';

export interface EventWriter {
  /** @param text one message on one line. @returns until when the reader is behind. */
  write(text: string): Wait;
  end(): void;
  /** Stops the comments: the stream has ended, or somebody else ends it. */
  stop(): void;
}

export interface EventWriterOptions {
  readonly res: ServerResponse;
  readonly headers: Readonly<Record<string, string>>;
  readonly keepAlive: KeepAlive;
  /** Written first: whatever a stream begins with before its messages. */
  readonly opening?: string;
  /**
   * Whether the backend waits for a reader that is behind. Where others wait with it, it must not: then the stream of
   * a reader that is too far behind is cut.
   */
  readonly waits: boolean;
}

/** Behind by this much, in bytes, a stream is cut where nobody may wait for it. */
export const maxBehindBytes = 4 * 1024 * 1024;

/** Sends the headers at once: the first event may be an hour away, and a client waits for the headers to have come. */
export function openEventStream(options: EventWriterOptions): EventWriter {
  const { res, keepAlive, opening = '', waits } = options;
  res.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
    ...options.headers,
  });
  res.flushHeaders();
  if (opening !== '') res.write(opening);
  const watched = keepAlive.watch(() => {
    if (isOpen(res) && !res.writableNeedDrain) res.write(keepAliveComment);
  });
  res.once('close', watched.stop);

  return {
    write(text) {
      watched.touch();
      if (!isOpen(res) || res.write(`event: message\ndata: ${text}\n\n`)) return undefined;
      if (waits) return drained(res);
      if (res.writableLength > maxBehindBytes) res.destroy();
      return undefined;
    },
    end() {
      watched.stop();
      res.end();
    },
    stop: watched.stop,
  };
}

/** One that has been ended is `writable` until its client has read it, and may not be written to. */
function isOpen(res: ServerResponse): boolean {
  return res.writable && !res.writableEnded;
}

/** The message as this person may see it. */
export function rewriteText(text: string, rewrite: RewriteMessage | undefined): string {
  if (rewrite === undefined) return text;
  const message: unknown = JSON.parse(text);
  const rewritten = rewrite(message);
  return rewritten === message ? text : JSON.stringify(rewritten);
}

function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.off('drain', done).off('close', done);
      resolve();
    };
    res.on('drain', done).on('close', done);
  });
}
