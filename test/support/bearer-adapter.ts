/**
 * A loopback hop in front of a server, for programs that cannot send a token: it adds `Authorization` and changes
 * nothing else, not even `Host` and `Origin`. It notes what passes, so that two servers can be compared.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request and its answer, as they were on the wire. */
export interface Passed {
  readonly method: string;
  readonly requestHeaders: Readonly<Record<string, string | string[] | undefined>>;
  readonly requestBody: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface BearerAdapter {
  /** On `localhost`, with the path of the target. */
  readonly url: string;
  /** In the order in which the answers ended. */
  readonly passed: readonly Passed[];
  close(): Promise<void>;
}

/** @param token undefined: adds nothing. */
export async function startBearerAdapter(target: string, token: string | undefined): Promise<BearerAdapter> {
  const { hostname, port, pathname } = new URL(target);
  const authorization = token === undefined ? [] : ['Authorization', `Bearer ${token}`];
  const passed: Passed[] = [];

  function relay(req: IncomingMessage, res: ServerResponse): void {
    const sent: Buffer[] = [];
    const headers = [...req.rawHeaders, ...authorization];
    const onward = request({ hostname, port, path: req.url, method: req.method, headers, agent: false });
    onward.on('response', (answer) => {
      const received: Buffer[] = [];
      res.writeHead(answer.statusCode ?? 0, answer.rawHeaders);
      res.flushHeaders();
      answer.on('data', (chunk: Buffer) => received.push(chunk)).pipe(res);
      answer.on('close', () => {
        passed.push({
          method: req.method ?? '',
          requestHeaders: req.headers,
          requestBody: Buffer.concat(sent).toString(),
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(received).toString(),
        });
        // Half an answer must not look like a whole one.
        if (!answer.complete) res.destroy();
      });
    });
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.on('data', (chunk: Buffer) => sent.push(chunk)).pipe(onward);
  }

  const server = createServer(relay);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}${pathname}`,
    passed,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
