/** The one way out of this room: every request to Entra, its key sets and the managed identity endpoint. */
import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import { Agent, request } from 'undici';

export interface OutboundRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface OutboundResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface Outbound {
  /** Never follows a redirect: a 3xx is an answer like any other. @throws OutboundFailed when there is none. */
  send(request: OutboundRequest): Promise<OutboundResponse>;
  close(): Promise<void>;
}

/** No usable answer came: not connected, not trusted, too slow or too long. Holds no part of the request. */
export class OutboundFailed extends Error {
  override readonly name = 'OutboundFailed';
  readonly reason: string;

  constructor(host: string, reason: string) {
    super(`no answer from ${host} (${reason})`);
    this.reason = reason;
  }
}

export interface OutboundOptions {
  /** PEM file trusted beside the certificates that Node trusts already (`NODE_EXTRA_CA_CERTS` among them). */
  readonly caFile?: string;
  /** For the whole exchange, body included. Default 10 s. */
  readonly timeoutMs?: number;
  /** Of an answer. Default 1 MiB; a discovery document has 2 KB, a key set 20 KB, a token answer 10 KB. */
  readonly maxBytes?: number;
}

/** @throws Error when `caFile` cannot be read or holds no certificate. */
export function openOutbound(options: OutboundOptions = {}): Outbound {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const agent = new Agent({
    connect: { timeout: timeoutMs, ...trust(options.caFile) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: options.maxBytes ?? 1024 * 1024,
  });
  return {
    async send({ method, url, headers, body }) {
      try {
        const answer = await request(url, {
          dispatcher: agent,
          method,
          headers: { accept: 'application/json', ...headers },
          ...(body === undefined ? {} : { body }),
          signal: AbortSignal.timeout(timeoutMs),
        });
        return {
          status: answer.statusCode,
          headers: flatten(answer.headers),
          text: await answer.body.text(),
        };
      } catch (error) {
        throw new OutboundFailed(new URL(url).host, reasonOf(error));
      }
    },
    close: () => agent.close(),
  };
}

function trust(caFile: string | undefined): { readonly ca?: string[] } {
  if (caFile === undefined) return {};
  const pem = readFileSync(caFile, 'utf8');
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw new Error(`${caFile} holds no PEM certificate`);
  return { ca: [...getCACertificates('default'), pem] };
}

/** Only the error's code: a message could carry parts of a URL. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const code = 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : error.name;
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
}
