import type { IncomingMessage } from 'node:http';
import type { Form } from '../http/body.ts';
import type { Exchange } from '../http/exchange.ts';
import type { RedirectJudgement } from './redirect-uri.ts';

/** What we know of a request that oidc-provider is working on, found again from its Koa context. */
export interface RequestFacts {
  readonly exchange: Exchange;
  /** The parsed body of `/token` and `/revoke`. */
  readonly form?: Form;
  /** Redirect URIs of a registration that were refused one by one. */
  readonly refusedRedirectUris?: RedirectJudgement['refused'];
}

const facts = new WeakMap<IncomingMessage, RequestFacts>();

export function noteFacts(request: IncomingMessage, noted: RequestFacts): void {
  facts.set(request, noted);
}

export function findFacts(request: IncomingMessage): RequestFacts | undefined {
  return facts.get(request);
}
