import type { EntraErrorKind } from '@valetkey/core/entra/aadsts-catalogue';

/**
 * `cancelled`, `timed-out`: nobody finished it. `declined`: the person, or Entra for this person, said no.
 * `needs-person`: only a prompt helps, and none was allowed. `operator`: the app registration or a setting is wrong.
 * `unavailable`: later. `no-keychain`, `no-way`: this machine lacks what it takes. `invalid`: the answer made no sense.
 */
export type SignInReason =
  | 'cancelled'
  | 'timed-out'
  | 'declined'
  | 'needs-person'
  | 'operator'
  | 'unavailable'
  | 'no-keychain'
  | 'no-way'
  | 'invalid';

export interface SignInDetails {
  /** AADSTS number. */
  readonly code?: number | undefined;
  /** Finds the attempt in the tenant's sign-in log. */
  readonly correlationId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/**
 * There is no token. The message is for the person and for the model: our words and Entra's code, never a name, a
 * token or a sentence of Entra's. The MCP SDK turns it into a tool result with `isError` (A10, D9).
 */
export class SignInFailed extends Error {
  override readonly name = 'SignInFailed';
  readonly reason: SignInReason;
  readonly code: number | undefined;
  readonly correlationId: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** The same call may succeed later, or once the person takes part. */
  readonly isRetryable: boolean;

  constructor(reason: SignInReason, message: string, details: SignInDetails = {}) {
    super(details.code === undefined ? message : `${message} (AADSTS${details.code})`);
    this.reason = reason;
    this.code = details.code;
    this.correlationId = details.correlationId;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.isRetryable = ['cancelled', 'timed-out', 'unavailable', 'needs-person'].includes(reason);
  }
}

export const cancelled = () => new SignInFailed('cancelled', 'The sign-in was cancelled');

export const reasonOfKind: Readonly<Record<EntraErrorKind, SignInReason>> = {
  declined: 'declined',
  interaction: 'needs-person',
  operator: 'operator',
  unavailable: 'unavailable',
};
