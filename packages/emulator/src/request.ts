/**
 * Room `request`: one HTTP request as every endpoint reads it, and the reply it returns. Parsed once, before any endpoint runs.
 * Knows no OAuth. Garbage is refused here (413, 400), so that nothing behind it can stumble over it.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

export interface EmulatorRequest {
  readonly method: string;
  readonly path: string;
  /** The listener that was asked: `https://localhost:port` or `http://localhost:port`. */
  readonly origin: string;
  readonly query: URLSearchParams;
  /** The urlencoded body; empty for any other content type, as Entra then finds no parameter. */
  readonly form: URLSearchParams;
  readonly bodyText: string;
  readonly headers: IncomingHttpHeaders;
  readonly cookies: ReadonlyMap<string, string>;
  readonly traceId: string;
  readonly correlationId: string;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Break the connection instead of answering. */
  readonly hangUp?: true;
  /** The emulator's own mistake behind a 500, for the log: never sent. */
  readonly mistake?: string;
}

export const MAX_BODY_BYTES = 64 * 1024;

/** The body is longer than the emulator reads: 413. */
export class BodyTooLarge extends Error {}

export function jsonReply(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      pragma: 'no-cache',
      ...headers,
    },
    body: JSON.stringify(value),
  };
}

/** How long a body may be, by the path and the headers of its request. */
export type MaxBodyBytes = (path: string, headers: IncomingHttpHeaders) => number;

/** @throws BodyTooLarge */
export async function readRequest(
  message: IncomingMessage,
  origin: string,
  maxBodyBytes: MaxBodyBytes = () => MAX_BODY_BYTES,
): Promise<EmulatorRequest> {
  const { pathname, searchParams } = parseTarget(message.url ?? '/', origin);
  const bodyText = await readBody(message, maxBodyBytes(pathname, message.headers));
  const isForm = (message.headers['content-type'] ?? '')
    .toLowerCase()
    .startsWith('application/x-www-form-urlencoded');
  const form = new URLSearchParams(isForm ? bodyText : '');
  return {
    method: message.method ?? 'GET',
    path: pathname,
    origin,
    query: searchParams,
    form,
    bodyText,
    headers: message.headers,
    cookies: parseCookies(message.headers.cookie ?? ''),
    traceId: randomUUID(),
    correlationId: findCorrelationId(message.headers, searchParams, form) ?? randomUUID(),
  };
}

/** Split by hand: `new URL('//x', origin)` would take the host from the request target. */
function parseTarget(target: string, origin: string): { pathname: string; searchParams: URLSearchParams } {
  const url = target.startsWith('/') ? `${origin}${target}` : target;
  return URL.canParse(url) ? new URL(url) : { pathname: '/', searchParams: new URLSearchParams() };
}

/** By events and not `for await`: leaving that loop early destroys the socket, and the 413 would never arrive. */
function readBody(message: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) reject(new BodyTooLarge());
      else chunks.push(chunk);
    });
    message.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    message.on('error', reject);
    message.on('aborted', () => reject(new Error('the client went away')));
  });
}

function parseCookies(header: string): ReadonlyMap<string, string> {
  const pairs = header.split(';').map((pair) => pair.trim().split('='));
  return new Map(pairs.map(([name = '', ...value]) => [name, value.join('=')]));
}

/** Only a GUID is taken over: the value is echoed into headers, bodies and the log. */
function findCorrelationId(
  headers: IncomingHttpHeaders,
  query: URLSearchParams,
  form: URLSearchParams,
): string | undefined {
  const given =
    headers['client-request-id'] ?? query.get('client-request-id') ?? form.get('client-request-id');
  const isGuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
  return typeof given === 'string' && isGuid.test(given) ? given : undefined;
}
