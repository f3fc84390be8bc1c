import type { BackendConfig } from '../config/config.ts';
import type { Exchange } from '../http/exchange.ts';
import type { ForwardRequest } from './backend-proxy.ts';
import type { BackendCredential, CredentialHeaders } from './credentials/backend-credential.ts';
import { requestHeadersForBackend } from './header-tables.ts';
import type { IdentitySigner } from './identity.ts';

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
) => Promise<string[]>;

export function createUpstreamHeaders(options: UpstreamHeadersOptions): UpstreamHeaders {
  const { backend, identity, credential } = options;
  return async ({ req, id }, request, shown, own) => {
    const ours = {
      ...(await identity.headersFor(request.principal, backend)),
      ...shown,
      'x-request-id': id,
      'accept-encoding': 'identity',
      ...own,
    };
    const trace = request.watch?.sending() ?? [];
    const traced = trace.length > 0 ? ['traceparent', 'tracestate'] : [];
    const dropped = [...credential.headerNames, ...Object.keys(own), ...traced];
    const sent = Object.entries(ours).filter(([, value]) => value !== '');
    return [...requestHeadersForBackend(req.rawHeaders, dropped), ...sent.flat(), ...trace];
  };
}
