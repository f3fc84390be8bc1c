/** One line per request: what a web server writes, without the query, which holds codes, and without anybody's name. */
import type { Clock } from '@valetkey/core/base/clock';
import type { Logger } from 'pino';
import { createFileSink, createStreamSink } from '../audit/sinks.ts';
import type { AccessLogConfig } from '../config/config.ts';
import type { ClientKind } from './labels.ts';

export interface AccessLine {
  /** `X-Request-Id`, and `correlationId` of the audit. */
  readonly requestId: string;
  readonly method: string;
  /** As in the route table; undefined: no route fits. */
  readonly route?: string;
  /** 499: the client went away before there was an answer. */
  readonly status: number;
  /** Sent, headers included. */
  readonly bytes: number;
  readonly durationMs: number;
  readonly client?: ClientKind;
}

export interface AccessLog {
  /** Neither throws nor waits. */
  write(line: AccessLine): void;
  close(): Promise<void>;
}

/** The same queue as the audit's: bounded, written in batches, found again after a rotation; what it drops it counts. */
export function openAccessLog(
  { file }: AccessLogConfig,
  { clock, log }: { readonly clock: Clock; readonly log: Pick<Logger, 'error'> },
): AccessLog {
  const surroundings = { clock, log, name: 'access log', droppedEvent: 'access.dropped', lingerMs: 200 };
  const sink =
    file === undefined ? createStreamSink(process.stdout, surroundings) : createFileSink(file, surroundings);
  return {
    write: (line) => sink.write({ time: new Date(clock.nowMs()).toISOString(), event: 'access', ...line }),
    close: () => sink.close(),
  };
}
