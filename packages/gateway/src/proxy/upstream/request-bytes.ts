import { createDerived } from '@valetkey/core/base/derived';
import type { OwnHeaders } from '../upstream-headers.ts';
import type { UpstreamRequest } from './upstream.ts';

/** Larger bodies are written by themselves: copying one costs more than a second part of a write. */
const maxCopied = 16 * 1024;

/** RFC 9110 §5.5: anything else could end the header, and begin another one. */
const unsafeValue = /[^\t\x20-\x7e\x80-\xff]/;
const name = /^[\w!#$%&'*+.^`|~-]+$/;

/** A header that cannot be sent. A fault of ours, or of the configuration: none of those that a client sends is judged here. */
export class UnsafeHeader extends Error {
  override readonly name = 'UnsafeHeader';
}

/**
 * @param host of the backend, for `Host`.
 * @returns a function that gives a request as it goes over the wire: one buffer, or two where the body is large. It throws
 *   `UnsafeHeader` for a header of ours; those of a client are as a parser has given them, which has refused what could end
 *   a header within its value.
 */
export function createRequestWriter(host: string): (request: UpstreamRequest) => readonly Uint8Array[] {
  const written = new WeakMap<OwnHeaders, string>();
  const writePassed = createDerived(writePairs);

  function writeOwn(own: OwnHeaders): string {
    const known = written.get(own);
    if (known !== undefined) return known;
    const lines = writeLines(own);
    written.set(own, lines);
    return lines;
  }

  return ({ method, path, headers, body }) => {
    const { passed, also, own } = headers;
    let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${writePassed(passed)}${writePairs(also)}`;
    for (const each of own) head += writeOwn(each);
    // A POST without a body says so; the others have none.
    if (body !== undefined || method === 'POST') head += `content-length: ${body?.length ?? 0}\r\n`;
    head += '\r\n';
    if (body === undefined) return [Buffer.from(head, 'latin1')];
    if (body.length > maxCopied) return [Buffer.from(head, 'latin1'), body];
    const bytes = Buffer.allocUnsafe(head.length + body.length);
    bytes.write(head, 0, 'latin1');
    bytes.set(body, head.length);
    return [bytes];
  };
}

function writePairs(headers: readonly string[]): string {
  let lines = '';
  for (let index = 0; index + 1 < headers.length; index += 2)
    lines += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return lines;
}

function writeLines(own: OwnHeaders): string {
  let lines = '';
  for (const [each, value] of Object.entries(own)) {
    if (value === '') continue;
    if (unsafeValue.test(value) || !name.test(each)) throw new UnsafeHeader(each.slice(0, 64));
    lines += `${each}: ${value}\r\n`;
  }
  return lines;
}
