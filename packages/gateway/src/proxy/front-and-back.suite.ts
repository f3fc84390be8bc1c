/** For tests: a real front server that makes exchanges, and real backends behind the proxy. */
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage, request, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Secret } from '@valetkey/core/base/secret';
import type { SigningJwk } from '@valetkey/core/crypto/key-ring';
import type { Principal } from '@valetkey/core/policy/principal';
import { pino } from 'pino';
import type { BackendConfig } from '../config/config.ts';
import type { Handler } from '../http/exchange.ts';
import type { BackendCredential } from './credentials/backend-credential.ts';
import { openCredential } from './credentials/open-credential.ts';
import type { IdentitySigner } from './identity.ts';

export const publicUrl = 'https://mcp.contoso.test';
export const silentLog = pino({ level: 'silent' });

export const anna: Principal = {
  tenantId: 'tenant-1',
  objectId: 'anna',
  displayName: 'Rita Réader',
  username: 'anna@contoso.test',
  roles: ['Snippets.Reader'],
  groups: [],
  scopes: ['snippets.use'],
  clientId: 'client-1',
  sessionId: 'session-1',
};

export const ben: Principal = { ...anna, objectId: 'ben', sessionId: 'session-2' };

export function createSigningJwk(): SigningJwk {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '', d = '' } = privateKey.export({ format: 'jwk' });
  return { kty: 'EC', crv: 'P-256', x, y, d, kid: 'k1', alg: 'ES256', use: 'sig' };
}

export function backendAt(upstream: string, changes: Partial<BackendConfig> = {}): BackendConfig {
  return {
    name: 'snippets',
    path: '/snippets/mcp',
    resource: `${publicUrl}/snippets/mcp`,
    upstream,
    title: 'Snippets',
    credential: { kind: 'header', header: 'x-backend-key', value: new Secret('backend-key') },
    scopes: [{ name: 'snippets.use', description: 'Use your snippets' }],
    rules: { enter: {}, tools: {} },
    timeouts: { connectMs: 10_000, firstByteMs: 10_000 },
    capacity: { maxQueued: 0, queueMs: 1000 },
    circuit: { failures: 0, openSeconds: 5 },
    ...changes,
  };
}

/** The credential of a backend that needs no Entra: a fixed header, the identity, or none. */
export function credentialOf(backend: BackendConfig, identity: IdentitySigner): BackendCredential {
  const noEntra = () => {
    throw new Error('no Entra in this test');
  };
  return openCredential(backend, {
    identity,
    tokens: { tokenFor: noEntra },
    demandSignIn: noEntra,
    clock: { nowMs: () => Date.now() },
    log: silentLog,
  });
}

export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

export async function startServer(listener: RequestListener): Promise<Listening & { server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A front that hands every request to `handler`, as room `http` does. */
export function startFront(handler: Handler): Promise<Listening & { server: Server }> {
  let count = 0;
  return startServer((req, res) => {
    count += 1;
    const exchange = {
      id: `request-${count}`,
      method: req.method ?? '',
      url: new URL(req.url ?? '/', publicUrl),
      ip: '192.0.2.1',
      req,
      res,
    };
    Promise.resolve(handler(exchange)).catch((fault: unknown) => {
      if (res.headersSent) res.destroy();
      else res.writeHead(500).end(String(fault));
    });
  });
}

export async function readText(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** A request with exactly these headers, written as given: `fetch` would tidy them up. */
export function rawRequest(
  url: string,
  options: { method?: string; headers?: Record<string, string | string[]>; body?: string },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method: options.method ?? 'POST',
      headers: options.headers ?? {},
      agent: false,
    });
    sent.on('response', resolve).on('error', reject);
    sent.end(options.body);
  });
}
