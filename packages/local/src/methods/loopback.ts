/** The place on this machine where the browser brings Entra's answer (RFC 8252 §7.3), as a form (`form_post`). */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closingPageHeaders, type Ending, renderClosingPage } from './closing-page.ts';

export interface Loopback {
  /** `http://localhost:port`: Entra ignores the port of a registered `http://localhost`. */
  readonly redirectUri: string;
  /** Entra's answer to this sign-in. */
  readonly answer: Promise<LoopbackAnswer>;
  close(): void;
}

export interface LoopbackAnswer {
  readonly form: URLSearchParams;
  /** Shows the person how it ended; the browser waits for that. */
  reply(ending: Ending): void;
}

/** A code has about 1 KB, an error's description less. */
const maxBodyBytes = 64 * 1024;
const requestTimeoutMs = 10_000;

/** @param state of this sign-in: a form with another one is somebody else's, and changes nothing. */
export async function openLoopback(state: string): Promise<Loopback> {
  const { promise: answer, resolve } = Promise.withResolvers<LoopbackAnswer>();
  const server = createServer({ requestTimeout: requestTimeoutMs }, (request, response) => {
    const { port } = server.address() as AddressInfo;
    void receive(request, response, { state, host: `localhost:${port}`, resolve });
  });
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  // Only here: `localhost` without an address would also listen where the network can reach it.
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  return {
    redirectUri: `http://localhost:${(server.address() as AddressInfo).port}`,
    answer,
    close() {
      server.close();
      server.closeIdleConnections();
      // An answer on its way may end; after that nothing keeps the process.
      setTimeout(() => server.closeAllConnections(), 1000).unref();
      server.unref();
    },
  };
}

interface Expected {
  readonly state: string;
  readonly host: string;
  readonly resolve: (answer: LoopbackAnswer) => void;
}

async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  expected: Expected,
): Promise<void> {
  const refuse = (status: number) => response.writeHead(status, { connection: 'close' }).end();
  // A name that was rebound to 127.0.0.1 comes with a Host of its own.
  if (request.headers.host !== expected.host) return void refuse(421);
  if (request.url !== '/') return void refuse(404);
  if (request.method !== 'POST') return void refuse(405);
  if (request.headers['content-type']?.split(';')[0]?.trim() !== 'application/x-www-form-urlencoded')
    return void refuse(415);
  const body = await readBody(request);
  if (body === undefined) return void refuse(413);
  const form = new URLSearchParams(body);
  if (!isState(form.getAll('state'), expected.state) || (!form.has('code') && !form.has('error')))
    return void refuse(400);
  expected.resolve({
    form,
    reply: (ending) => void response.writeHead(200, closingPageHeaders).end(renderClosingPage(ending)),
  });
}

function isState(given: readonly string[], expected: string): boolean {
  const [only = ''] = given;
  const [a, b] = [Buffer.from(only), Buffer.from(expected)];
  return given.length === 1 && a.length === b.length && timingSafeEqual(a, b);
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBodyBytes) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString('utf8');
}
