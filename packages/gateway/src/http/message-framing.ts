import type { IncomingMessage } from 'node:http';

/**
 * Whether the message says in the plain way where it ends. Node also reads versions that it does not speak, and takes
 * the last of several transfer codings for the whole; a proxy in front may have read the same bytes otherwise, and
 * where two disagree about the end of a request, the rest of it becomes the next one (RFC 9112 §11.2).
 *
 * After a refusal the connection must close: where the next request begins is in doubt.
 */
export function hasPlainFraming({
  httpVersion,
  headers,
}: Pick<IncomingMessage, 'httpVersion' | 'headers'>): boolean {
  const coding = headers['transfer-encoding']?.toLowerCase();
  // A coding in a message of HTTP/1.0 is a fault in its framing (RFC 9112 §6.1).
  if (httpVersion === '1.0') return coding === undefined;
  return httpVersion === '1.1' && (coding === undefined || coding === 'chunked');
}
