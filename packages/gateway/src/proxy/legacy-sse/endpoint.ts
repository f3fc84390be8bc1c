import { err, ok, type Result } from '@valetkey/core/base/result';

/**
 * Where a backend of revision 2024-11-05 wants its messages (its first event, `endpoint`). It must be on the server
 * that the configuration names: everything else would make the gateway send a person's calls, and its own credential,
 * to an address of the backend's choosing (CVE-2026-26118: SSRF through a server's word).
 *
 * @param sse where the stream was opened; a relative address starts there.
 * @returns path and query, for that server.
 */
export function parseEndpoint(data: string, sse: URL): Result<string, 'no_address' | 'foreign_origin'> {
  const text = data.trim();
  if (text === '' || !URL.canParse(text, sse.href)) return err('no_address');
  const url = new URL(text, sse);
  if (url.origin !== sse.origin || url.username !== '' || url.password !== '') return err('foreign_origin');
  return ok(url.pathname + url.search);
}
