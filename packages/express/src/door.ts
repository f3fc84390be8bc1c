/**
 * Routes of ours as a handler of Express and of `node:http`. Requests that are none of ours go on to whatever else the
 * server has; ours pass the checks of target, host, origin, size and rate that the gateway makes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { noteBody } from '@valetkey/gateway/http/body';
import { createRouter, type RouterOptions } from '@valetkey/gateway/http/dispatch';
import type { Route } from '@valetkey/gateway/http/exchange';
import { checkRequestTarget } from '@valetkey/gateway/http/request-target';
import { createRouteTable } from '@valetkey/gateway/http/route-table';

/** Express calls it with `next`; alone it is a listener for `node:http`. */
export type NodeHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/** What Express adds to a request, and body parsers for it. */
interface ExpressRequest extends IncomingMessage {
  readonly originalUrl?: string;
  readonly body?: unknown;
}

export function createDoor(routes: readonly Route[], options: RouterOptions): NodeHandler {
  const findRows = createRouteTable(routes);
  const dispatch = createRouter(routes, options);
  return (req: ExpressRequest, res, next) => {
    // Express takes the mount path away; our addresses are those of the public URL.
    const { originalUrl = req.url ?? '/' } = req;
    const target = checkRequestTarget(originalUrl);
    const isOurs = target.ok && findRows(target.value.path).length > 0;
    if (!isOurs && next !== undefined) return next();
    req.url = originalUrl;
    try {
      adoptBody(req);
    } catch (error) {
      if (next !== undefined) return next(error);
      process.emitWarning(error as TypeError);
      res.writeHead(500, { connection: 'close' }).end();
      return;
    }
    dispatch(req, res);
  };
}

/**
 * A body that a parser has read already is given to our own reading as it must have been.
 *
 * @throws TypeError when it cannot be restored: a mistake in the order of the server's own handlers.
 */
export function adoptBody(req: ExpressRequest): void {
  if (!req.readableEnded || req.body === undefined) return;
  const bytes = restoreBody(req.body, req.headers['content-type'] ?? '');
  if (bytes === undefined)
    throw new TypeError('the body was read before Valetkey saw it: put its handlers before body parsers');
  noteBody(req, bytes);
}

function restoreBody(body: unknown, contentType: string): Uint8Array | undefined {
  if (body instanceof Uint8Array) return body;
  if (typeof body === 'string') return Buffer.from(body);
  if (typeof body !== 'object' || body === null) return undefined;
  if (/^application\/x-www-form-urlencoded *(;|$)/i.test(contentType)) return restoreForm(body);
  return /json/i.test(contentType) ? Buffer.from(JSON.stringify(body)) : undefined;
}

function restoreForm(body: object): Uint8Array {
  const form = new URLSearchParams();
  const append = (name: string, value: unknown): void => {
    // A field that came twice.
    if (Array.isArray(value)) for (const each of value as unknown[]) append(name, each);
    // What an extended parser made of `a[b]=c`.
    else if (typeof value === 'object' && value !== null)
      for (const [key, each] of Object.entries(value)) append(`${name}[${key}]`, each);
    else form.append(name, typeof value === 'string' ? value : '');
  };
  for (const [name, value] of Object.entries(body)) append(name, value);
  return Buffer.from(form.toString());
}
