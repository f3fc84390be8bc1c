import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/** oidc-provider's own browser session, which we do not want: see `withoutSession`. */
export const sessionCookie = 'valetkey-as';

/**
 * A request whose body has been read already, as a request that can be read again.
 *
 * oidc-provider reads bodies itself, without a limit of ours and without a hook before it judges them. So the body
 * is read under our limits first, and the request is played back to it: same method, target, socket and headers,
 * with `Host` set from `publicUrl`, since nothing may depend on what the client called us.
 */
export function replayRequest(
  original: IncomingMessage,
  replay: {
    readonly body: Uint8Array;
    readonly host: string;
    readonly isSecure: boolean;
    readonly target?: string;
  },
): IncomingMessage {
  const headers: IncomingHttpHeaders = { ...original.headers, host: replay.host };
  for (const name of Object.keys(headers))
    if (name.startsWith('x-forwarded-') || name === 'forwarded') delete headers[name];
  delete headers['transfer-encoding'];
  if (headers.cookie !== undefined) headers.cookie = withoutSession(headers.cookie);
  headers['x-forwarded-proto'] = replay.isSecure ? 'https' : 'http';
  if (replay.body.length > 0 || original.method === 'POST')
    headers['content-length'] = String(replay.body.length);
  const stream = Readable.from(replay.body.length > 0 ? [Buffer.from(replay.body)] : [], {
    objectMode: false,
  });
  return Object.assign(stream, {
    method: original.method,
    url: replay.target ?? original.url,
    headers,
    httpVersion: original.httpVersion,
    httpVersionMajor: original.httpVersionMajor,
    httpVersionMinor: original.httpVersionMinor,
    socket: original.socket,
    connection: original.socket,
    complete: true,
  }) as unknown as IncomingMessage;
}

/**
 * oidc-provider remembers in a cookie who signed in last, and stops with a logout form when the next one is another
 * person. Who is there is asked anew each time, so it never gets to see that cookie: each sign-in stands alone.
 */
function withoutSession(cookie: string): string {
  return cookie
    .split(';')
    .filter((pair) => !pair.trim().startsWith(sessionCookie))
    .join(';');
}
