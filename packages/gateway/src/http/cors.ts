import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CorsClass, Route } from './exchange.ts';

type SharedClass = Exclude<CorsClass, 'none'>;

const allowedHeaders: Record<SharedClass, readonly string[]> = {
  oauth: ['authorization', 'content-type', 'mcp-protocol-version', 'dpop'],
  mcp: [
    'authorization',
    'content-type',
    'accept',
    'mcp-protocol-version',
    'mcp-session-id',
    'mcp-method',
    'mcp-name',
    'last-event-id',
    'dpop',
  ],
};

const exposedHeaders: Record<SharedClass, string> = {
  oauth: 'WWW-Authenticate, DPoP-Nonce, Retry-After, X-Request-Id',
  // Without the first two a client in a browser can neither find the authorization server nor keep its session.
  mcp: 'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, DPoP-Nonce, Retry-After, X-Request-Id',
};

/** MCP methods of both transport eras; an MCP row answers the others with 405 after the bearer check. */
const mcpMethods = ['GET', 'POST', 'DELETE'];
const anyMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
const preflightMaxAgeSeconds = 600;
const maxParameterHeaders = 32;

/**
 * Sets what lets a page of another origin read the answer, before anything else can answer: a browser hides a
 * 401 or 429 that lacks it, and with it the challenge. Credentials are never allowed, so `*` is safe.
 */
export function applyCors(res: ServerResponse, cors: CorsClass): void {
  if (cors === 'none') return;
  res.setHeader('Access-Control-Allow-Origin', '*');
  res.setHeader('Access-Control-Expose-Headers', exposedHeaders[cors]);
}

/** Takes the permission back, for an origin that the Origin check refused. */
export function withdrawCors(res: ServerResponse): void {
  res.removeHeader('Access-Control-Allow-Origin');
  res.removeHeader('Access-Control-Expose-Headers');
}

/** Headers of the answer to `OPTIONS`: the methods that the path really has, and the headers its class allows. */
export function preflightHeaders(req: IncomingMessage, rows: readonly Route[]): Record<string, string> {
  const methods = listMethods(rows).join(', ');
  const cors = rows.find((row) => row.cors !== 'none')?.cors ?? 'none';
  if (cors === 'none') return { Allow: methods };
  const requested = cors === 'mcp' ? requestedParameterHeaders(req) : [];
  return {
    Allow: methods,
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': [...allowedHeaders[cors], ...requested].join(', '),
    'Access-Control-Max-Age': String(preflightMaxAgeSeconds),
    Vary: 'Access-Control-Request-Headers',
  };
}

/** The methods of a path, as `Allow` and preflights name them. */
export function listMethods(rows: readonly Route[]): string[] {
  const methods = new Set<string>();
  for (const row of rows) {
    for (const method of row.methods) {
      if (method !== '*') methods.add(method);
      else for (const each of row.cors === 'mcp' ? mcpMethods : anyMethods) methods.add(each);
    }
  }
  if (methods.has('GET')) methods.add('HEAD');
  methods.add('OPTIONS');
  return [...methods];
}

/** `Mcp-Param-*` names are made from a tool's schema, so they can only be echoed. */
function requestedParameterHeaders(req: IncomingMessage): string[] {
  const requested = req.headers['access-control-request-headers'] ?? '';
  return requested
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => /^mcp-param-[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(name))
    .slice(0, maxParameterHeaders);
}
