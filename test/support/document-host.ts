/** A website of client id metadata documents, over https with a CA of its own, on loopback. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, createServerCertificate } from '@valetkey/entra-emulator/certificates';

export interface DocumentHost {
  readonly origin: string;
  /** Section `clients` of a gateway that may read documents here. */
  readonly clientsConfig: Readonly<Record<string, unknown>>;
  /** Serves a document whose `client_id` is its own URL. @returns that URL. */
  publish(path: string, metadata: Readonly<Record<string, unknown>>): string;
  /** Paths asked for so far. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export async function startDocumentHost(): Promise<DocumentHost> {
  const directory = await mkdtemp(join(tmpdir(), 'valetkey-documents-'));
  const now = Date.now();
  const authority = createAuthority(now);
  const leaf = createServerCertificate(authority, now);
  const caFile = join(directory, 'ca.pem');
  await writeFile(caFile, authority.certificatePem);

  const documents = new Map<string, string>();
  const requests: string[] = [];
  const key = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const server = createServer({ cert: leaf.certificatePem + authority.certificatePem, key }, (req, res) => {
    const path = req.url ?? '';
    requests.push(path);
    const document = documents.get(path);
    if (document === undefined) return res.writeHead(404).end();
    return res.writeHead(200, { 'content-type': 'application/json' }).end(document);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = `https://localhost:${port}`;

  return {
    origin,
    clientsConfig: { metadataDocuments: { allowLoopback: true, caFile } },
    requests,
    publish(path, metadata) {
      const url = `${origin}${path}`;
      documents.set(path, JSON.stringify({ client_id: url, ...metadata }));
      return url;
    },
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      await rm(directory, { recursive: true, force: true });
    },
  };
}
