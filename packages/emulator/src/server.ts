/**
 * Room `server`: the two listeners and the loopback rule. Turns an HTTP message into a request and a reply into bytes;
 * knows no endpoint.
 */
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import type { Certificate } from './certificates.ts';
import {
  BodyTooLarge,
  type EmulatorRequest,
  jsonReply,
  type MaxBodyBytes,
  readRequest,
  type Reply,
} from './request.ts';

type Answer = (request: EmulatorRequest) => Promise<Reply>;

export interface Listener {
  /** `http://localhost:port` or `https://localhost:port`. */
  readonly origin: string;
  /** Starts answering. Until then a request waits. */
  serve(answer: Answer): void;
  close(): Promise<void>;
}

const LOOPBACK_HOSTS = ['127.0.0.1', 'localhost', '::1'];

/** @throws RangeError for any host that others can reach */
export function checkLoopback(host: string): void {
  if (!LOOPBACK_HOSTS.includes(host)) {
    throw new RangeError(
      `The emulator listens on loopback only (${LOOPBACK_HOSTS.join(', ')}): its passwords are public`,
    );
  }
}

/** @param tls absent for the plain listener @param maxBodyBytes default 64 KiB everywhere */
export async function openListener(
  host: string,
  port: number,
  tls?: Certificate & { readonly chainPem: string },
  maxBodyBytes?: MaxBodyBytes,
): Promise<Listener> {
  const server =
    tls === undefined
      ? http.createServer()
      : https.createServer({
          cert: tls.chainPem,
          key: tls.privateKey.export({ type: 'pkcs8', format: 'pem' }),
        });
  const bound = await listen(server, host, port);
  const origin = `${tls === undefined ? 'http' : 'https'}://localhost:${bound.port}`;
  const serving = Promise.withResolvers<Answer>();
  server.on('request', (message: http.IncomingMessage, response: http.ServerResponse) => {
    void serving.promise.then((answer) => respond(message, response, origin, answer, maxBodyBytes));
  });
  return {
    origin,
    serve: serving.resolve,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

async function respond(
  message: http.IncomingMessage,
  response: http.ServerResponse,
  origin: string,
  answer: Answer,
  maxBodyBytes?: MaxBodyBytes,
): Promise<void> {
  try {
    if (!isLocalHost(message.headers.host)) return send(response, jsonReply(400, { error: 'invalid_host' }));
    const request = await readRequest(message, origin, maxBodyBytes);
    const reply = await answer(request);
    send(response, reply, request);
  } catch (problem) {
    if (problem instanceof BodyTooLarge)
      send(response, jsonReply(413, { error: 'request_too_large' }, { connection: 'close' }));
    else response.destroy();
  }
}

/** A web page whose own name resolves to 127.0.0.1 must not read what is here (DNS rebinding). */
function isLocalHost(host: string | undefined): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(host ?? '');
}

function send(response: http.ServerResponse, reply: Reply, request?: EmulatorRequest): void {
  if (reply.hangUp || response.destroyed) {
    response.destroy();
    return;
  }
  const traced =
    request === undefined
      ? {}
      : { 'x-ms-request-id': request.traceId, 'client-request-id': request.correlationId };
  response.writeHead(reply.status, { ...traced, ...reply.headers });
  response.end(request?.method === 'HEAD' ? undefined : reply.body);
}
