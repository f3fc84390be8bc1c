/**
 * Rewrites single JSON-RPC messages in an answer, as JSON or as an event stream. Everything that is not rewritten
 * keeps its bytes; nothing but the message at hand is ever held back.
 */
import { Transform, type TransformCallback } from 'node:stream';
import { err, ok, type Result } from '@valetkey/core/base/result';

/**
 * Sees one parsed message (or batch) and gives back the same object to leave it alone, or another to send
 * instead. Must not throw.
 */
export type RewriteMessage = (message: unknown) => unknown;

/** A message was larger than the bound: the stream is cut rather than let through unfiltered. */
export class MessageTooLarge extends Error {
  override readonly name = 'MessageTooLarge';
}

/**
 * @returns the new body, the same one when nothing changed, or `unreadable` when it is not JSON in UTF-8 or cannot be
 *   written again.
 */
export function rewriteJson(body: Uint8Array, rewrite: RewriteMessage): Result<Uint8Array, 'unreadable'> {
  let message: unknown;
  try {
    message = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return err('unreadable');
  }
  const rewritten = rewrite(message);
  if (rewritten === message) return ok(body);
  const text = stringify(rewritten);
  return text === undefined ? err('unreadable') : ok(Buffer.from(text));
}

/** @returns undefined for what is nested so deep that writing it overflows the stack, which reading it does not. */
function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/**
 * An event stream through which each `data` message is rewritten (WHATWG HTML §9.2 Server-sent events). An event
 * leaves as soon as its blank line has arrived; a comment leaves at once, since it keeps connections open.
 *
 * @param maxBytes largest event; beyond it the stream fails with `MessageTooLarge`.
 */
export function createEventStreamRewriter(rewrite: RewriteMessage, maxBytes: number): Transform {
  const decoder = new TextDecoder('utf-8');
  const lines = createLineSplitter();
  let event: string[] = [];
  let eventSize = 0;
  let isFirst = true;

  function takeLine(text: string, out: Transform): void {
    // A reader takes one byte order mark away. Behind another one the field that we looked for would stand.
    const line = isFirst ? text.replace(/^\uFEFF+/, '') : text;
    isFirst = false;
    if (line === '') {
      out.push(event.length === 0 ? '\n' : `${rewriteEvent(event, rewrite)}\n\n`);
      event = [];
      eventSize = 0;
    } else if (line.startsWith(':')) {
      out.push(`${line}\n`);
    } else {
      event.push(line);
      eventSize += line.length;
    }
  }

  return new Transform({
    transform(chunk: Uint8Array, _encoding, done: TransformCallback) {
      try {
        for (const line of lines.push(decoder.decode(chunk, { stream: true }))) takeLine(line, this);
      } catch (fault) {
        return done(fault as Error);
      }
      done(eventSize + lines.pendingLength() > maxBytes ? new MessageTooLarge('event too large') : null);
    },
    // What follows the last blank line is no event: a client discards it, and it was never judged.
    flush: (done: TransformCallback) => done(),
  });
}

function rewriteEvent(lines: readonly string[], rewrite: RewriteMessage): string {
  const isData = (line: string) => line === 'data' || line.startsWith('data:');
  const data = lines.filter(isData).map((line) => line.slice('data:'.length).replace(/^ /, ''));
  const message = parseOrUndefined(data.join('\n'));
  if (message === undefined) return lines.join('\n');
  const rewritten = rewrite(message);
  if (rewritten === message) return lines.join('\n');
  const text = stringify(rewritten);
  if (text === undefined) throw new MessageTooLarge('event too deep');
  return [...lines.filter((line) => !isData(line)), `data: ${text}`].join('\n');
}

/** An empty `data` line primes a resumable stream; it is no message, nor is anything that is not JSON. */
function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Lines end with CR LF, LF or CR, and a CR LF may be split between two chunks. */
export function createLineSplitter() {
  let pending: string[] = [];
  let pendingLength = 0;
  let lastWasCarriageReturn = false;

  return {
    pendingLength: () => pendingLength,
    push(text: string): string[] {
      const fresh = lastWasCarriageReturn && text.startsWith('\n') ? text.slice(1) : text;
      if (text !== '') lastWasCarriageReturn = text.endsWith('\r');
      const parts = fresh.split(/\r\n|\n|\r/);
      const rest = parts.pop() ?? '';
      const complete = parts.map((part, index) => (index === 0 ? pending.join('') + part : part));
      if (complete.length > 0) {
        pending = [];
        pendingLength = 0;
      }
      pending.push(rest);
      pendingLength += rest.length;
      return complete;
    },
  };
}
