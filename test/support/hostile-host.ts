/** An https website that answers as badly as the test says, and a listener that must never be asked. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, createServerCertificate } from '@valetkey/entra-emulator/certificates';

export type Answering = (req: IncomingMessage, res: ServerResponse) => void;

export interface HostileHost {
  readonly origin: string;
  /** Section `clients` of a gateway that may read documents from loopback. */
  readonly clientsConfig: Readonly<Record<string, unknown>>;
  /** Answers this path so from now on. @returns its URL. */
  on(path: string, answer: Answering): string;
  readonly asked: string[];
  close(): Promise<void>;
}

export async function startHostileHost(): Promise<HostileHost> {
  const directory = await mkdtemp(join(tmpdir(), 'valetkey-hostile-'));
  const authority = createAuthority(Date.now());
  const leaf = createServerCertificate(authority, Date.now());
  const caFile = join(directory, 'ca.pem');
  await writeFile(caFile, authority.certificatePem);
  const answers = new Map<string, Answering>();
  const asked: string[] = [];
  const server = createHttpsServer(
    {
      cert: leaf.certificatePem + authority.certificatePem,
      key: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    },
    (req, res) => {
      asked.push(req.url ?? '');
      const answer = answers.get(req.url ?? '');
      if (answer === undefined) res.writeHead(404).end();
      else answer(req, res);
    },
  );
  const origin = `https://localhost:${await listenOnLoopback(server)}`;
  return {
    origin,
    clientsConfig: { metadataDocuments: { allowLoopback: true, caFile } },
    asked,
    on(path, answer) {
      answers.set(path, answer);
      return origin + path;
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface Tripwire {
  readonly port: number;
  /** Connections so far: each is a request that should not have been made. */
  readonly touched: () => number;
  close(): Promise<void>;
}

/** Listens on every loopback address, and counts. */
export async function startTripwire(): Promise<Tripwire> {
  let touched = 0;
  const server = createServer((socket) => {
    touched += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => {
    // A machine without IPv6 has IPv4 to listen on.
    server.once('error', () => server.listen(0, '0.0.0.0', resolve));
    server.listen(0, '::', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    touched: () => touched,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

function listenOnLoopback(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
