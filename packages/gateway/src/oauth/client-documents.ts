import type { Logger } from 'pino';
import { normalizeClientMetadata } from './client-metadata.ts';
import type { FetchFromStranger } from './guarded-fetch.ts';

/**
 * Wraps the fetch that oidc-provider uses for client id metadata documents (CIMD draft-02): the document is
 * brought to what we support before oidc-provider judges it, in the way a registration is, so that a document
 * which lists portless loopback URIs (Claude Code, Codex) may use any port, and one private-use URI that we do not
 * allow does not cost the client its other redirects.
 *
 * What oidc-provider itself checks is left to it: the `client_id` in the document, status, size, caching, and that
 * no shared secret is in the document.
 */
export function createDocumentFetch(options: {
  readonly fetchFromStranger: FetchFromStranger;
  readonly privateUse: ReadonlySet<string>;
  readonly log: Logger;
}): (input: string | URL | Request, init?: RequestInit) => Promise<Response> {
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    try {
      const response = await options.fetchFromStranger(url, { signal: init?.signal ?? null });
      if (response.status !== 200) return response;
      const text = await response.text();
      return new Response(normalizeDocument(url, text, options.privateUse), {
        status: 200,
        headers: cacheHeaders(response),
      });
    } catch (error) {
      options.log.warn(
        { url, reason: error instanceof Error ? error.message : 'unknown' },
        'client document not fetched',
      );
      throw error;
    }
  };
}

function normalizeDocument(url: string, text: string, privateUse: ReadonlySet<string>): string {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return text;
  const document = parsed as Readonly<Record<string, unknown>>;
  // Not a client document (a key set of `private_key_jwt`), or one that oidc-provider must refuse as it stands.
  if (document['client_id'] !== url || 'client_secret' in document || 'client_secret_expires_at' in document)
    return text;
  const normalized = normalizeClientMetadata(document, { privateUse, defaultAuthMethod: 'none' });
  if (!normalized.ok) throw new Error(normalized.error.description);
  if (normalized.value.metadata['client_name'] === undefined) throw new Error('client_name is missing');
  return JSON.stringify({ client_id: url, ...normalized.value.metadata });
}

function cacheHeaders(response: Response): Headers {
  const headers = new Headers({ 'content-type': 'application/json' });
  for (const name of ['cache-control', 'expires']) {
    const value = response.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return headers;
}
