const anyDocument = '/*';

/** `https://claude.ai/*`: every client whose metadata document (CIMD) stands at that host. */
export function isClientHost(entry: string): boolean {
  return entry.endsWith(anyDocument);
}

/**
 * Whether a client is the one that a rule names. A host is compared as a parsed URL names it: as text,
 * `https://claude.ai.evil.example/` and `https://claude.ai@evil.example/` would begin alike.
 *
 * @param entry a client id, byte for byte; or an origin and `/*`. Who may call themselves by the URL of a document was
 *   settled when the client was admitted: the document was fetched from there.
 */
export function matchesClient(entry: string, clientId: string): boolean {
  if (!isClientHost(entry)) return entry === clientId;
  const url = URL.parse(clientId);
  return url !== null && url.origin === entry.slice(0, -anyDocument.length) && url.origin !== 'null';
}
