/** Entra tokens of a call's person, and what happens where Entra first wants the person. */
import type { Result } from '@valetkey/core/base/result';
import { Secret } from '@valetkey/core/base/secret';
import { deny } from '@valetkey/core/policy/decision';
import { personId } from '@valetkey/core/policy/principal';
import type { ResourceScope } from '@valetkey/gateway/config/config';
import type { EntraRefusal, PersonToken } from '@valetkey/gateway/entra/entra';
import { reasonOf } from '@valetkey/gateway/sign-in/sign-ins';
import type { Call } from './call.ts';
import type { Front } from './front.ts';

export interface EntraToken {
  /** `personId`: whose it is, and the key of what is remembered for them. */
  readonly person: string;
  /** Prints as `[secret]`; `token.reveal()` gives it. */
  readonly token: Secret;
  readonly expiresAtSeconds: number;
}

export interface EntraTokenOptions {
  /** A claims challenge of the API, as JSON text: another token is wanted, one that shows these. */
  readonly claims?: string | undefined;
  /** A token that the API refused. */
  readonly rejected?: Secret | undefined;
}

/**
 * There is no token. The message is in our words and may be shown.
 *
 * `needs-person`: the answer to this request becomes the challenge that leads the client to a sign-in, whatever its
 * handler writes. `unavailable`: later. `refused`: the app registration or the credential is wrong, or the person may
 * not; another sign-in would not change that.
 */
export class EntraTokenFailed extends Error {
  override readonly name = 'EntraTokenFailed';
  readonly reason: 'needs-person' | 'unavailable' | 'refused';
  /** `AADSTS65001`. */
  readonly code: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(reason: EntraTokenFailed['reason'], message: string, refusal?: EntraRefusal) {
    super(message);
    this.reason = reason;
    this.code = refusal?.code === undefined ? undefined : `AADSTS${refusal.code}`;
    this.retryAfterSeconds = refusal?.retryAfterSeconds;
  }
}

export interface EntraTokens {
  /** @throws EntraTokenFailed; StoreUnavailable */
  get(call: Call, scopes: readonly string[], options?: EntraTokenOptions): Promise<EntraToken>;
}

export function createEntraTokens(front: Front): EntraTokens {
  return {
    async get(call, scopes, options = {}) {
      const got = await ask(front, call, scopes, options);
      if (got.ok) {
        const { accessToken, expiresAtSeconds } = got.value;
        return { person: personId(call.principal), token: accessToken, expiresAtSeconds };
      }
      throw await failureOf(front, call, scopes, got.error);
    },
  };
}

async function ask(
  { services, direct }: Front,
  call: Call,
  scopes: readonly string[],
  options: EntraTokenOptions,
): Promise<Result<PersonToken, EntraRefusal>> {
  const { principal, verified } = call;
  if (call.entraToken === undefined && services !== undefined)
    return services.entra.tokenFor(principal.sessionId, scopes, options);
  if (principal.isApplication === true)
    throw new EntraTokenFailed('refused', 'an application called: there is no person to get a token for');
  if (direct?.delegated === undefined || call.entraToken === undefined)
    throw new EntraTokenFailed(
      'refused',
      'this server has no credential to exchange tokens with: set entra.credential',
    );
  const { tenantId } = principal;
  return direct.delegated.tokenFor(verified.tokenId, {
    assertion: new Secret(call.entraToken),
    tenantId,
    scopes,
    ...options,
  });
}

async function failureOf(
  front: Front,
  call: Call,
  scopes: readonly string[],
  refusal: EntraRefusal,
): Promise<EntraTokenFailed> {
  const { kind, description } = refusal;
  if (kind === 'unavailable') return new EntraTokenFailed('unavailable', description, refusal);
  if (kind !== 'interaction') return new EntraTokenFailed('refused', description, refusal);
  const missing = scopesToAskFor(front.config.resource.scopes, call, scopes);
  if (missing.length > 0) challengeScopes(call, missing);
  else await demandSignIn(front, call, scopes, refusal);
  return new EntraTokenFailed('needs-person', description, refusal);
}

/** Scopes of ours that bring what Entra is asked for, and that the client has not asked for yet. */
function scopesToAskFor(
  known: readonly ResourceScope[],
  { principal }: Call,
  wanted: readonly string[],
): string[] {
  const brings = ({ entra = [] }: ResourceScope) => entra.some((scope) => wanted.includes(scope));
  return known
    .filter((scope) => brings(scope) && !principal.scopes.includes(scope.name))
    .map(({ name }) => name);
}

/** Incremental consent, as the client's own step-up (MCP Authorization, insufficient scope). */
function challengeScopes(call: Call, missing: readonly string[]): void {
  const missingScopes = [...call.principal.scopes, ...missing];
  const decision = deny({
    reason: 'insufficient_scope',
    missingScopes,
    description: `this needs the scope ${missing.join(' ')}`,
  });
  const operation = { method: 'tools/call', kind: 'request' } as const;
  call.refusal ??= { kind: 'denied', judged: [{ operation, decision }], isBatch: false };
}

/**
 * Nothing that a client can ask for would help: a second factor, a consent that was taken back, a sign-in that ended. A
 * new sign-in is the only way, and it takes to Entra what Entra wants.
 */
async function demandSignIn(
  { services }: Front,
  call: Call,
  scopes: readonly string[],
  refusal: EntraRefusal,
): Promise<void> {
  const { claims } = refusal;
  if (call.entraToken === undefined && services !== undefined) {
    const wanted = { scopes, ...(claims === undefined ? {} : { claims }) };
    await services.signIns.stepUp(call.principal.sessionId, wanted, reasonOf(refusal));
  } else if (claims !== undefined) call.claims = claims;
  call.refusal ??= { kind: 'sign_in_again', id: undefined };
}
