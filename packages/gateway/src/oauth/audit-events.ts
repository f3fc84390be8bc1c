import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { createSignInId } from '@valetkey/core/base/sign-in-id';
import type { Audit, AuditEvent } from '../audit/event.ts';
import { findField } from '../http/body.ts';
import { findFacts } from './request-facts.ts';

type Noted = Pick<AuditEvent, 'event' | 'outcome'> & Partial<AuditEvent>;

/** Turns oidc-provider's events into audit records (A25). Its messages are not copied: only error codes are. */
export function auditProvider(provider: Provider, audit: Audit): void {
  const note = (ctx: KoaContextWithOIDC, noted: Noted) => {
    const facts = findFacts(ctx.req);
    if (facts === undefined) return;
    const session =
      ctx.oidc.entities.Grant ?? ctx.oidc.entities.RefreshToken ?? ctx.oidc.entities.AuthorizationCode;
    const [tenantId, objectId] = (session?.accountId ?? '').split('.');
    const clientId = ctx.oidc.client?.clientId;
    const {
      Interaction: interaction,
      Grant: grant,
      AuthorizationCode: code,
      RefreshToken: token,
    } = ctx.oidc.entities;
    const sessionId = grant?.jti ?? code?.grantId ?? token?.grantId;
    audit.record({
      correlationId: facts.exchange.id,
      ip: facts.exchange.ip,
      ...(clientId === undefined ? {} : { clientId }),
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(interaction === undefined ? {} : { signInId: createSignInId(interaction.uid) }),
      ...(tenantId !== undefined && objectId !== undefined ? { tenantId, objectId } : {}),
      ...noted,
    });
  };
  const failed = (event: AuditEvent['event']) => (ctx: KoaContextWithOIDC, error: ProviderError) =>
    note(ctx, { ...describeError(error), event });
  const noteRefusedGrant = async (ctx: KoaContextWithOIDC, error: ProviderError) => {
    const sessionId = await findSessionOfCode(provider, ctx);
    const known = sessionId === undefined ? {} : { sessionId };
    note(ctx, { ...describeError(error), ...known, event: tokenEvent(ctx) });
  };

  provider.on('registration_create.success', (ctx) =>
    note(ctx, { event: 'client.register', outcome: 'success', ...describeClient(ctx) }),
  );
  provider.on('registration_create.error', failed('client.register'));
  provider.on('interaction.started', (ctx) =>
    note(ctx, { event: 'authorize', outcome: 'success', reason: 'sign_in_needed' }),
  );
  provider.on('authorization.success', (ctx) =>
    note(ctx, { event: 'authorize', outcome: 'success', reason: 'code_issued' }),
  );
  provider.on('authorization.error', failed('authorize'));
  provider.on('grant.success', (ctx) => note(ctx, { event: tokenEvent(ctx), outcome: 'success' }));
  provider.on('grant.error', (ctx, error) => void noteRefusedGrant(ctx, error));
  provider.on('grant.revoked', (ctx, grantId) =>
    note(ctx, { event: 'session.revoke', outcome: 'success', sessionId: grantId }),
  );
  provider.on('revocation.error', failed('token.revoke'));
  // A revocation that succeeds emits nothing, so its answer is looked at.
  provider.use(async (ctx, next) => {
    await next();
    const context = ctx as KoaContextWithOIDC;
    if (context.oidc?.route === 'revocation' && ctx.status === 200) {
      note(context, { event: 'token.revoke', outcome: 'success' });
    }
  });
}

interface ProviderError {
  readonly error?: string;
  readonly statusCode?: number;
}

function describeError({ statusCode = 500, error = 'server_error' }: ProviderError) {
  return { outcome: statusCode >= 500 ? 'error' : 'denied', reason: error } as const;
}

/** A code that was refused before oidc-provider looked at its grant still tells which sign-in it was of. */
async function findSessionOfCode(provider: Provider, ctx: KoaContextWithOIDC): Promise<string | undefined> {
  const form = findFacts(ctx.req)?.form;
  const code = form === undefined ? undefined : findField(form, 'code');
  if (code === undefined) return undefined;
  // The store may be what failed.
  return (await provider.AuthorizationCode.find(code).catch(() => undefined))?.grantId;
}

function tokenEvent(ctx: KoaContextWithOIDC): AuditEvent['event'] {
  const form = findFacts(ctx.req)?.form;
  return form !== undefined && findField(form, 'grant_type') === 'refresh_token' ? 'token.refresh' : 'token';
}

/** What an operator needs to find the client behind a consent page that somebody reports. */
function describeClient({
  oidc: { client },
}: KoaContextWithOIDC): Pick<AuditEvent, 'clientName' | 'redirectHosts'> {
  const hosts = (client?.redirectUris ?? []).map((uri) => URL.parse(uri)?.host ?? '');
  return {
    ...(client?.clientName === undefined ? {} : { clientName: client.clientName }),
    redirectHosts: [...new Set(hosts)].join(' '),
  };
}
