/** A fetch-style handler behind a Node request: bytes in, bytes out as they come, and an end on one side ends the other. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Exchange } from '@valetkey/gateway/http/exchange';

/** @param body as received; undefined for a request without one. */
export async function serveFetch(
  exchange: Exchange,
  body: Uint8Array | undefined,
  handle: (request: Request) => Promise<Response>,
): Promise<void> {
  const { res } = exchange;
  const gone = new AbortController();
  const leave = () => gone.abort();
  res.once('close', leave);
  const response = await handle(
    new Request(exchange.url, {
      method: exchange.method,
      headers: headersOf(exchange),
      signal: gone.signal,
      ...(body === undefined ? {} : { body: Uint8Array.from(body) }),
    }),
  );
  if (res.destroyed) return response.body?.cancel();
  res.writeHead(response.status, [...response.headers].flat());
  if (response.body === null) {
    res.end();
    return;
  }
  const source = Readable.fromWeb(response.body);
  // Whoever leaves in the middle of a stream is no fault: `close` has told the handler.
  await pipeline(source, res).catch(() => source.destroy());
}

function headersOf({ req }: Exchange): Headers {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(req.headersDistinct)) {
    for (const value of values) headers.append(name, value);
  }
  return headers;
}
