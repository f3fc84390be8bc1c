/** The way to one backend: connections kept and used again, one request at a time on each. Knows nothing of MCP. */
import type { Readable } from 'node:stream';
import type { BackendHeaders } from '../upstream-headers.ts';

export interface UpstreamRequest {
  /** With the query. */
  readonly path: string;
  readonly method: string;
  /** Without `Host` and `Content-Length`. */
  readonly headers: BackendHeaders;
  readonly body: Uint8Array | undefined;
  /** How long the first byte of the answer may take, in milliseconds. */
  readonly firstByteMs: number;
}

export interface Answer {
  readonly statusCode: number;
  /** Names in small letters; a list where a header came more than once. */
  readonly headers: AnswerHeaders;
  /** The body, where all of it came together with the head: most answers are small. */
  readonly whole: Uint8Array | undefined;
  /** The body in any case. Whoever takes an answer and does not read it must destroy this. */
  readonly body: Readable;
}

export type AnswerHeaders = Readonly<Record<string, string | string[]>>;

export interface Asking {
  /** Rejects with `UpstreamFault`. */
  readonly answer: Promise<Answer>;
  /** Breaks the connection, also while the answer streams. */
  giveUp(): void;
}

export interface Upstream {
  ask(request: UpstreamRequest): Asking;
  /** Ends all connections, also those in use. */
  close(): Promise<void>;
}

/** Why there is no answer, or not the whole of it. */
export class UpstreamFault extends Error {
  override readonly name = 'UpstreamFault';
  /** `timeout`, `gave_up`, `bad_answer`, `closed_early`, or the system's: `ECONNREFUSED`. */
  readonly code: string;

  constructor(code: string) {
    super(`no answer: ${code}`);
    this.code = code;
  }
}

export interface UpstreamOptions {
  /** How long a connection may take to come about, in milliseconds. */
  readonly connectMs: number;
}
