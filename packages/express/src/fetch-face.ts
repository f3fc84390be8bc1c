/**
 * The server in the fetch style. A request goes over HTTP to the Node handler, on a pair of pipes in memory instead of a
 * network, so that there is one implementation, with all of Node's own care for requests and answers.
 */
import { createServer, type IncomingMessage, request as sendRequest } from 'node:http';
import { duplexPair, pipeline, Readable } from 'node:stream';
import type { NodeHandler } from './door.ts';

/**
 * @param from.ip the client's address, for rate limits and the audit; without it all clients share one budget.
 */
export type FetchHandler = (request: Request, from?: { readonly ip?: string }) => Promise<Response>;

/** Statuses of answers that cannot have a body (Fetch, null body status). */
const withoutBody = new Set([204, 205, 304]);

export function openFetchFace(handler: NodeHandler): FetchHandler {
  const server = createServer((req, res) => handler(req, res));
  return async (request, { ip } = {}) => {
    const [client, inner] = duplexPair();
    // A reader who leaves only ends the pipe; the handler has to hear that nobody listens any more.
    client.once('close', () => inner.destroy());
    server.emit('connection', Object.assign(inner, ip === undefined ? {} : { remoteAddress: ip }));
    const { host, pathname, search } = new URL(request.url);
    const outgoing = sendRequest({
      createConnection: () => client,
      method: request.method,
      path: pathname + search,
      headers: {
        ...Object.fromEntries(request.headers),
        host: request.headers.get('host') ?? host,
        connection: 'close',
      },
      signal: request.signal,
    });
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve);
      // Also of a body that broke off after the answer had begun: the promise is settled, and nobody is harmed.
      outgoing.on('error', reject);
    });
    if (request.body === null) outgoing.end();
    else pipeline(Readable.fromWeb(request.body), outgoing, () => {});
    return toResponse(await answer);
  };
}

function toResponse(answer: IncomingMessage): Response {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(answer.headersDistinct)) {
    // Of this connection, which ends here (RFC 9110 §7.6.1).
    if (name === 'connection' || name === 'transfer-encoding' || name === 'keep-alive') continue;
    for (const value of values) headers.append(name, value);
  }
  const { statusCode: status = 500 } = answer;
  const hasBody = !withoutBody.has(status);
  if (!hasBody) answer.resume();
  return new Response(hasBody ? (Readable.toWeb(answer) as ReadableStream) : null, { status, headers });
}
