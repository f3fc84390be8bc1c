import type { UpstreamRequest } from './upstream.ts';

/** Larger bodies are written by themselves: copying one costs more than a second part of a write. */
const maxCopied = 16 * 1024;

/** RFC 9110 §5.5: anything else could end the header, and begin another one. */
const unsafeValue = /[^\t\x20-\x7e\x80-\xff]/;
const name = /^[\w!#$%&'*+.^`|~-]+$/;

/** A header that cannot be sent. A fault of ours: what comes from outside has been read by a parser that refuses it. */
export class UnsafeHeader extends Error {
  override readonly name = 'UnsafeHeader';
}

/**
 * A request as it goes over the wire.
 *
 * @param host of the backend, for `Host`.
 * @returns one buffer, or two where the body is large.
 * @throws UnsafeHeader
 */
export function writeRequest(
  { method, path, headers, body }: UpstreamRequest,
  host: string,
): readonly Uint8Array[] {
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const each = headers[index] as string;
    const value = headers[index + 1] as string;
    if (unsafeValue.test(value) || !name.test(each)) throw new UnsafeHeader(each.slice(0, 64));
    head += `${each}: ${value}\r\n`;
  }
  // A POST without a body says so; the others have none.
  if (body !== undefined || method === 'POST') head += `content-length: ${body?.length ?? 0}\r\n`;
  head += '\r\n';
  if (body === undefined) return [Buffer.from(head, 'latin1')];
  if (body.length > maxCopied) return [Buffer.from(head, 'latin1'), body];
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, 0, 'latin1');
  bytes.set(body, head.length);
  return [bytes];
}
