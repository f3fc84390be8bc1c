import { ok } from '@valetkey/core/base/result';
import type { Exchange } from '../../http/exchange.ts';
import type { Forwarded } from '../backend-proxy.ts';

/** An answer of our own in the backend's place. @param text JSON; undefined: no body. */
export function reply(
  { res }: Exchange,
  status: number,
  text?: string,
  headers: Readonly<Record<string, string>> = {},
): { readonly ok: true; readonly value: Forwarded } {
  const body = Buffer.from(text ?? '');
  res.writeHead(status, {
    ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  res.end(body);
  return ok({ status, ended: Promise.resolve('complete') });
}
