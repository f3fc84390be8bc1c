import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestWatch } from './observer.ts';

/**
 * One request and its response, parsed once by room `http`. Nothing behind it asks `req` where the request came
 * from or which host it was for: `url` is built from `publicUrl`, never from `Host` or `X-Forwarded-*`.
 */
export interface Exchange {
  /** Correlation id of the request: in every audit record, on every error page, in `X-Request-Id`. */
  readonly id: string;
  readonly method: string;
  /** `publicUrl` + path + query as received. */
  readonly url: URL;
  /** The client's address; `X-Forwarded-For` counts only from configured proxies. */
  readonly ip: string;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The body, where it has come whole with the head: there is nothing to wait for. */
  readonly body?: Uint8Array | undefined;
  /** What the observer of requests made of it; undefined: nobody looks. */
  readonly watch?: RequestWatch | undefined;
}

export type Handler = (exchange: Exchange) => Promise<void> | void;

/** Who may read the answer from a browser page of another origin. */
export type CorsClass =
  /** no CORS headers: pages that people see */
  | 'none'
  /** metadata, registration, token, revocation: any origin, no credentials */
  | 'oauth'
  /** MCP endpoints: any origin that the Origin check passes, with MCP's headers exposed */
  | 'mcp';

/** The name of a rate limit in the configuration. */
export type LimitName = 'register' | 'authorize' | 'consent' | 'token';

/** One row of the route table in `routes.ts`. */
export interface Route {
  /** Upper-case methods; `*` for all. HEAD is served by GET rows. */
  readonly methods: readonly string[];
  /** An exact path, or a prefix when it ends in `/*`. */
  readonly path: string;
  readonly cors: CorsClass;
  /** Body bytes accepted before 413. 0: no body is read. */
  readonly maxBodyBytes: number;
  readonly limit?: LimitName;
  /** Nothing about it is audited, so it is served also while nothing can be. Default: false. */
  readonly isUnrecorded?: true;
  readonly handler: Handler;
}
