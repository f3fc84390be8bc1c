/** Requests that `fetch` refuses to send: any method, any header twice, any bytes, headers without their body. */
import { request } from 'node:http';
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** @param headers in the flat form of `rawHeaders`; a name may be there twice. `Host` is added when absent. */
export function send(
  origin: string,
  options: {
    readonly method: string;
    readonly path: string;
    readonly headers?: readonly string[];
    body?: string;
  },
): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(origin);
  const given = options.headers ?? [];
  const hasHost = given.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  const length =
    options.body === undefined ? [] : ['Content-Length', String(Buffer.byteLength(options.body))];
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: hostname,
        port,
        method: options.method,
        path: options.path,
        headers: [...(hasHost ? [] : ['Host', host]), 'Connection', 'close', ...length, ...given],
        setDefaultHeaders: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response
          .on('data', (chunk: Buffer) => chunks.push(chunk))
          .on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: Buffer.concat(chunks).toString(),
            }),
          )
          .on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(options.body);
  });
}

/**
 * Sends bytes as they are, and reads until the other side closes or `isEnough`.
 *
 * @returns what came, possibly nothing: a server may close without a word.
 */
export function sendBytes(
  origin: string,
  bytes: string,
  isEnough: (received: string) => boolean = () => false,
): Promise<string> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve) => {
    let received = '';
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(bytes, 'latin1'));
    const end = () => {
      socket.destroy();
      resolve(received);
    };
    socket
      .on('data', (chunk) => {
        received += chunk.toString('latin1');
        if (isEnough(received)) end();
      })
      .on('end', end)
      .on('close', end)
      .on('error', end);
  });
}

export function statusOf(received: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(received)?.[1] ?? 0);
}
