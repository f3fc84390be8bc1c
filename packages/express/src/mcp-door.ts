/** The MCP endpoint: a bearer first, then the SDK's own handler, whose answer may still turn into a challenge. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ProtectedResource } from '@valetkey/gateway/config/config';
import { mcpMethods } from '@valetkey/gateway/enforce/refusal';
import { readBody } from '@valetkey/gateway/http/body';
import type { Exchange, Route } from '@valetkey/gateway/http/exchange';
import { type Admission, type Admitted, createAdmission } from './admission.ts';
import type { AuthInfo, Call } from './call.ts';
import { serveFetch } from './fetch-handler.ts';
import type { Front } from './front.ts';
import { holdAnswer } from './held-answer.ts';
import { admitListening } from './listening.ts';

/** What `createMcpHandler` of SDK 2.x gives. */
export interface FetchMcpHandler {
  fetch(request: Request, options?: { authInfo?: AuthInfo }): Promise<Response>;
}

/** As a server gets it: what Node's type leaves open is there. */
type ServerRequest = IncomingMessage & { method: string; url: string; auth?: AuthInfo };

/** What `toNodeHandler` gives, or `(req, res, body) => transport.handleRequest(req, res, body)` of SDK 1.x. */
export type NodeMcpHandler = (req: ServerRequest, res: ServerResponse, parsedBody?: unknown) => unknown;

export type McpHandler = FetchMcpHandler | NodeMcpHandler;

export function createMcpRoute(front: Front, resource: ProtectedResource, handler: McpHandler): Route {
  const { limits } = front.config;
  const admission = createAdmission(front, resource);

  async function handle(exchange: Exchange, { authInfo, call }: Admitted): Promise<void> {
    if (typeof handler === 'function') {
      const req = exchange.req as ServerRequest & { readonly body?: unknown };
      req.auth = authInfo;
      if (admitListening(front, admission, call, req.body)) await handler(req, exchange.res, req.body);
      return;
    }
    const body =
      exchange.method === 'POST'
        ? await readBody(exchange, limits.mcpBodyBytes, limits.requestTimeoutMs)
        : undefined;
    // While it was being sent the right to it may have ended.
    if (call.refusal !== undefined) {
      admission.refuse(exchange, call.refusal);
      return;
    }
    if (body?.ok === true && !admitListening(front, admission, call, body.value)) return;
    if (body === undefined || body.ok)
      return serveFetch(exchange, body?.value, (request) => handler.fetch(request, { authInfo }));
    if (body.error === 'aborted') return;
    admission.refuse(exchange, { kind: body.error === 'timeout' ? 'body_too_slow' : 'body_too_large' });
  }

  return {
    methods: ['*'],
    path: resource.path,
    cors: 'mcp',
    maxBodyBytes: limits.mcpBodyBytes,
    async handler(exchange) {
      const admitted = await admission.admit(exchange, [front.policy]);
      if (admitted === undefined) return;
      if (!mcpMethods.includes(exchange.method)) {
        admission.refuse(exchange, { kind: 'wrong_method' });
        return;
      }
      watchAnswer(front, admission, admitted.call);
      await handle(exchange, admitted);
    },
  };
}

/** From here to its end: it may be replaced before its first byte, and an event stream is cut when the session ends. */
export function watchAnswer(front: Front, admission: Admission, call: Call): void {
  const { exchange, principal } = call;
  front.sessionOwners.watch(exchange.res, principal);
  holdAnswer(exchange.res, () => {
    if (call.refusal === undefined) return false;
    admission.refuse(exchange, call.refusal, call.claims);
    return true;
  });
  watchRights(front, admission, call);
}

/** Once the right to it has ended, nothing of the call is begun that has not been begun. */
export function watchRights({ services }: Front, admission: Admission, call: Call): void {
  const { exchange, principal, verified, resource } = call;
  const { res } = exchange;
  const close = services?.streams.open({
    principal,
    resource,
    expiresAtSeconds: verified.expiresAtSeconds,
    cut(reason) {
      // None of it has been sent: then it is an ordinary refusal.
      if (!res.headersSent) call.refusal ??= { kind: 'bad_token' };
      if (!String(res.getHeader('content-type') ?? '').startsWith('text/event-stream')) return;
      admission.record(call, { event: 'access.denied', outcome: 'denied', reason });
      res.destroy();
    },
  });
  if (close !== undefined) res.once('close', close);
}
