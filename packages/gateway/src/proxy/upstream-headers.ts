import { createDerived } from '@valetkey/core/base/derived';
import type { BackendConfig } from '../config/config.ts';
import type { Exchange } from '../http/exchange.ts';
import type { ForwardRequest } from './backend-proxy.ts';
import type { BackendCredential, CredentialHeaders } from './credentials/backend-credential.ts';
import { createRequestHeaderFilter } from './header-tables.ts';
import type { IdentityHeaders, IdentitySigner } from './identity.ts';

export interface UpstreamHeadersOptions {
  readonly backend: Pick<BackendConfig, 'resource'>;
  readonly identity: IdentitySigner;
  readonly credential: BackendCredential;
}

/** The headers of a request as a backend gets them. */
export interface BackendHeaders {
  /** Those of the client that may pass, in the flat form of `IncomingMessage.rawHeaders`. */
  readonly passed: readonly string[];
  /** Of this request alone, in the same form: its id and its trace. */
  readonly also: readonly string[];
  /** What the gateway vouches for: objects that are the same for many requests. An empty value is not sent. */
  readonly own: readonly OwnHeaders[];
}

export type OwnHeaders = Readonly<Record<string, string>>;

/**
 * @param shown by the credential.
 * @param own of this request; they take the place of the client's. An empty value only drops it.
 */
export type UpstreamHeaders = (
  exchange: Exchange,
  request: ForwardRequest,
  shown: CredentialHeaders,
  own: OwnHeaders,
) => BackendHeaders | Promise<BackendHeaders>;

const traceHeaders = ['traceparent', 'tracestate'];
const always: OwnHeaders = { 'accept-encoding': 'identity' };

export function createUpstreamHeaders(options: UpstreamHeadersOptions): UpstreamHeaders {
  const { backend, identity, credential } = options;
  /** By the headers in whose favour those of the client are dropped. */
  const filters = new WeakMap<OwnHeaders, Filters>();

  function filterFor(own: OwnHeaders) {
    const found = filters.get(own);
    if (found !== undefined) return found;
    const made = createFilters([...credential.headerNames, ...Object.keys(own)]);
    filters.set(own, made);
    return made;
  }

  function write(
    { req, id }: Exchange,
    request: ForwardRequest,
    shown: CredentialHeaders,
    own: OwnHeaders,
    identified: IdentityHeaders,
  ): BackendHeaders {
    const trace = request.watch?.sending() ?? [];
    const { all, untraced } = filterFor(own);
    const passed = (trace.length > 0 ? untraced : all)(req.rawHeaders);
    return { passed, also: ['x-request-id', id, ...trace], own: [identified, shown, own, always] };
  }

  return (exchange, request, shown, own) => {
    // Nearly always it has been signed before, and nobody waits.
    const known = identity.headersFor(request.principal, backend);
    if (!(known instanceof Promise)) return write(exchange, request, shown, own, known);
    return known.then((identified) => write(exchange, request, shown, own, identified));
  };
}

type Filter = (rawHeaders: readonly string[]) => readonly string[];

interface Filters {
  readonly all: Filter;
  /** Without the client's trace, in favour of ours. */
  readonly untraced: Filter;
}

function createFilters(dropped: readonly string[]): Filters {
  const filter = createRequestHeaderFilter(dropped);
  return {
    all: createDerived((rawHeaders) => {
      const kept = filter(rawHeaders);
      return Object.isFrozen(rawHeaders) ? Object.freeze(kept) : kept;
    }),
    untraced: (rawHeaders) => filter(rawHeaders, traceHeaders),
  };
}

/** All of them in the flat form. */
export function listHeaders({ passed, also, own }: BackendHeaders): string[] {
  const sent = own.flatMap((each) => Object.entries(each)).filter(([, value]) => value !== '');
  return [...passed, ...also, ...sent.flat()];
}
