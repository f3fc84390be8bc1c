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

/**
 * The headers of a request as a backend gets them, in the flat form of `IncomingMessage.rawHeaders`: those of the
 * client that may pass, then what the gateway vouches for.
 *
 * @param shown by the credential.
 * @param own of this request; they take the place of the client's. An empty value only drops it.
 */
export type UpstreamHeaders = (
  exchange: Exchange,
  request: ForwardRequest,
  shown: CredentialHeaders,
  own: Readonly<Record<string, string>>,
) => string[] | Promise<string[]>;

const traceHeaders = ['traceparent', 'tracestate'];

export function createUpstreamHeaders(options: UpstreamHeadersOptions): UpstreamHeaders {
  const { backend, identity, credential } = options;
  const passOn = createRequestHeaderFilter(credential.headerNames);

  function write(
    { req, id }: Exchange,
    request: ForwardRequest,
    ours: readonly Readonly<Record<string, string>>[],
    own: Readonly<Record<string, string>>,
  ): string[] {
    const trace = request.watch?.sending() ?? [];
    const dropped = Object.keys(own);
    const headers = passOn(req.rawHeaders, trace.length > 0 ? [...dropped, ...traceHeaders] : dropped);
    for (const each of ours) {
      for (const name of Object.keys(each)) {
        const value = each[name] as string;
        if (value !== '') headers.push(name, value);
      }
    }
    headers.push('x-request-id', id, 'accept-encoding', 'identity', ...trace);
    return headers;
  }

  return (exchange, request, shown, own) => {
    // Nearly always it has been signed before, and nobody waits.
    const known = identity.headersFor(request.principal, backend);
    const writeWith = (identified: IdentityHeaders) =>
      write(exchange, request, [identified, shown, own], own);
    return known instanceof Promise ? known.then(writeWith) : writeWith(known);
  };
}
