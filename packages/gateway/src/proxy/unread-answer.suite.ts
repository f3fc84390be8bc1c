import { createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * An answer on its way to a client that reads nothing of it.
 *
 * @param closers called, last first, when the test is over.
 */
export async function openUnreadAnswer(closers: (() => unknown)[]): Promise<ServerResponse> {
  const taken = Promise.withResolvers<ServerResponse>();
  const server = createServer((_req, res) => taken.resolve(res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  const sent = request({ port: (server.address() as AddressInfo).port });
  sent.on('error', () => {});
  sent.on('response', (answer) => answer.pause().on('error', () => {}));
  sent.end();
  closers.push(() => sent.destroy());
  return taken.promise;
}
