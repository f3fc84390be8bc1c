import type { IncomingMessage } from 'node:http';
import { createPolicy } from '@valetkey/core/policy/decide';
import type { Requirement } from '@valetkey/core/policy/rules';
import { parseToolRules } from '@valetkey/gateway/config/own-server';
import { createRouter } from '@valetkey/gateway/http/dispatch';
import { createAdmission } from './admission.ts';
import type { AuthInfo } from './call.ts';
import type { NodeHandler } from './door.ts';
import type { Front } from './front.ts';
import { admitListening } from './listening.ts';
import { watchAnswer } from './mcp-door.ts';
import { OptionsFault } from './options-fault.ts';

/** What a route asks for beyond what it takes to enter. */
export interface BearerRequirement extends Pick<Requirement, 'scopes' | 'allRoles' | 'anyGroup'> {
  /** At least one of these app roles. */
  readonly roles?: readonly string[];
}

/**
 * For any route: whoever goes on has a token for this server and what is required, and stands in `req.auth`. Host,
 * Origin and CORS are settled too, so a page of another site gets nowhere near the handler (D32).
 *
 * @throws OptionsFault for a requirement that would not mean what it seems to.
 */
export function createBearerGuard(front: Front, { roles, ...required }: BearerRequirement = {}): NodeHandler {
  const { resource } = front.config;
  const rule = { ...required, ...(roles === undefined ? {} : { anyRole: roles }) };
  const parsed = parseToolRules({ route: rule }, resource);
  if (!parsed.ok) throw new OptionsFault(parsed.error);
  const policies = [front.policy, createPolicy({ enter: parsed.value['route'] ?? {}, tools: {} })];
  const admission = createAdmission(front, resource);
  const goOn = new WeakMap<IncomingMessage, () => void>();

  const dispatch = createRouter(
    [
      {
        methods: ['*'],
        path: '/*',
        cors: 'mcp',
        maxBodyBytes: front.config.limits.mcpBodyBytes,
        async handler(exchange) {
          const admitted = await admission.admit(exchange, policies);
          if (admitted === undefined) return;
          const req: IncomingMessage & { auth?: AuthInfo; readonly body?: unknown } = exchange.req;
          if (!admitListening(front, admission, admitted.call, req.body)) return;
          req.auth = admitted.authInfo;
          watchAnswer(front, admission, admitted.call);
          goOn.get(req)?.();
        },
      },
    ],
    front.router,
  );

  return (req: IncomingMessage & { readonly originalUrl?: string }, res, next) => {
    const { url = '/' } = req;
    goOn.set(req, () => {
      // Express routes by what is left of the address below a mount path.
      req.url = url;
      next?.();
    });
    req.url = req.originalUrl ?? url;
    dispatch(req, res);
  };
}
