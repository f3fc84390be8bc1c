import type { IncomingMessage } from 'node:http';
import type { Eventually } from '@valetkey/core/base/eventually';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { Exchange } from './exchange.ts';

export type BodyRefusal = 'too-large' | 'aborted' | 'timeout';

/** Bodies that were read before the request came here. */
const readBefore = new WeakMap<IncomingMessage, Uint8Array>();

/** For a server in which a parser stands before us: its bytes are what `readBody` gives. */
export function noteBody(req: IncomingMessage, body: Uint8Array): void {
  readBefore.set(req, body);
}

/**
 * Reads the whole body.
 *
 * @param maxBytes the row's `maxBodyBytes`; counted on what arrives, whatever `Content-Length` says.
 * @param timeoutMs time for it to arrive, 15 s by default.
 * @returns the bytes, or why not: 413, no answer at all, 408. After a refusal the connection is closed with the
 *   answer, since the rest of the body is still on its way.
 */
export function readBody(
  exchange: Exchange,
  maxBytes: number,
  timeoutMs = 15_000,
): Eventually<Result<Uint8Array, BodyRefusal>> {
  const { req, res } = exchange;
  const known = exchange.body ?? readBefore.get(req);
  if (known !== undefined) return known.length > maxBytes ? err('too-large') : ok(known);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => settle(err('timeout')), timeoutMs);
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) settle(err('too-large'));
      else chunks.push(chunk);
    };
    const onEnd = () => settle(ok(Buffer.concat(chunks)));
    const onAbort = () => settle(err('aborted'));

    function settle(result: Result<Uint8Array, BodyRefusal>): void {
      clearTimeout(timer);
      req.off('data', onData).off('end', onEnd).off('close', onAbort).off('error', onAbort);
      if (!result.ok) {
        // Read on, into nothing, until the answer is out: closing on unread bytes resets the connection, and the
        // client would never see why. Keeping nothing costs nothing, and the server's request timeout ends it.
        req.on('error', () => {}).resume();
        res.shouldKeepAlive = false;
      }
      resolve(result);
    }

    if (Number(req.headers['content-length'] ?? 0) > maxBytes) return settle(err('too-large'));
    if (req.destroyed && !req.complete) return settle(err('aborted'));
    req.on('data', onData).on('end', onEnd).on('close', onAbort).on('error', onAbort);
  });
}

/** All values of each field, so that a duplicate can be seen. */
export type Form = ReadonlyMap<string, readonly string[]>;

export type ParseRefusal = 'wrong-content-type' | 'malformed';

const maxFormFields = 200;

/** Parses `application/x-www-form-urlencoded`. @param contentType the header as received. */
export function parseForm(contentType: string | undefined, body: Uint8Array): Result<Form, ParseRefusal> {
  if (mediaType(contentType) !== 'application/x-www-form-urlencoded') return err('wrong-content-type');
  const text = decodeUtf8(body);
  if (text === undefined) return err('malformed');
  const form = new Map<string, string[]>();
  let fields = 0;
  for (const [name, value] of new URLSearchParams(text)) {
    fields += 1;
    if (fields > maxFormFields) return err('malformed');
    const values = form.get(name);
    if (values === undefined) form.set(name, [value]);
    else values.push(value);
  }
  return ok(form);
}

/** The value of a field that may appear once (RFC 6749 §3.1); undefined when it is absent or there twice. */
export function findField(form: Form, name: string): string | undefined {
  const values = form.get(name);
  return values?.length === 1 ? values[0] : undefined;
}

/**
 * Parses `application/json` (and `…+json`).
 *
 * @param contentType the header as received.
 * @returns `malformed` also for more than 64 nested levels.
 */
export function parseJson(contentType: string | undefined, body: Uint8Array): Result<unknown, ParseRefusal> {
  const type = mediaType(contentType);
  if (type !== 'application/json' && !type.endsWith('+json')) return err('wrong-content-type');
  const text = decodeUtf8(body);
  if (text === undefined) return err('malformed');
  try {
    const value: unknown = JSON.parse(text);
    return isTooDeep(text) ? err('malformed') : ok(value);
  } catch {
    return err('malformed');
  }
}

/** Whoever walks or prints the value recurses: some thousand levels in a small body would overflow the stack. */
const maxJsonDepth = 64;

/** @param text valid JSON. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  // Strings are skipped as a whole: brackets in them open nothing.
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === '[' || token === '{') depth += 1;
    if (token === ']' || token === '}') depth -= 1;
    if (depth > maxJsonDepth) return true;
  }
  return false;
}

function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function decodeUtf8(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
}
