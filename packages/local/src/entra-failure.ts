/** What MSAL threw and what Entra last said, as one SignInFailed. */
import { AuthError, InteractionRequiredAuthError, ServerError } from '@azure/msal-node';
import { classifyEntraError, findAadsts, parseAadsts } from '@valetkey/core/entra/aadsts';
import type { LastAnswer } from './network.ts';
import { reasonOfKind, SignInFailed, type SignInReason } from './sign-in-failed.ts';

const sentences: Readonly<Record<SignInReason, string>> = {
  cancelled: 'The sign-in was cancelled',
  'timed-out': 'Nobody signed in in time',
  declined: 'The sign-in was declined',
  'needs-person': 'Entra asks for a new sign-in',
  operator: 'Entra refuses the app registration or the request of this server',
  unavailable: 'Entra is not available: try again later',
  'no-keychain': 'There is no keychain',
  'no-way': 'There is no way to sign in here',
  invalid: 'The answer of Entra is not valid',
};

/**
 * @param last the operation's last answer: MSAL's errors keep neither its status nor, for device codes, its code.
 * @returns a SignInFailed; anything that is neither MSAL's nor the network's comes back as it is: a fault of ours.
 */
export function failureFrom(error: unknown, last: LastAnswer): unknown {
  if (error instanceof SignInFailed) return error;
  if (!(error instanceof AuthError)) return last.isSilent ? unavailable(last) : error;
  if (last.isSilent) return unavailable(last);
  const { code, correlationId } = readIds(error, last);
  if (last.status === 429 || (last.status ?? 0) >= 500) return unavailable(last, code, correlationId);
  return describeFailure(reasonOf(error, last, code), { code, correlationId });
}

/** In the catalogue's words where it has them. Entra's own sentence names people and quotes what was sent to it. */
export function describeFailure(
  reason: SignInReason,
  details: { readonly code?: number | undefined; readonly correlationId?: string | undefined } = {},
): SignInFailed {
  const known = details.code === undefined ? undefined : findAadsts(details.code);
  if (known === undefined) return new SignInFailed(reason, sentences[reason], details);
  const remedy = reason === 'operator' ? known.forOperator : known.forPerson;
  return new SignInFailed(reason, `${known.title}. ${remedy}`, details);
}

/** Whether a prompt can mend it, and the claims it has to be made with. */
export function findNeed(error: unknown, last: LastAnswer): { readonly claims?: string } | undefined {
  const failure = failureFrom(error, last);
  if (!(failure instanceof SignInFailed) || failure.reason !== 'needs-person') return undefined;
  const claims = error instanceof InteractionRequiredAuthError ? error.claims : last.claims;
  return claims === undefined || claims === '' ? {} : { claims };
}

function reasonOf(error: AuthError, last: LastAnswer, code: number | undefined): SignInReason {
  if (error instanceof InteractionRequiredAuthError) {
    const kind = code === undefined ? undefined : findAadsts(code)?.kind;
    return kind === undefined ? 'needs-person' : reasonOfKind[kind];
  }
  const said = error instanceof ServerError ? error.errorCode : last.error;
  if (said === undefined) return 'invalid';
  // A device code that ran out: nobody came. For everything else `expired_token` asks for a new sign-in.
  if (said === 'expired_token') return 'timed-out';
  const suberror = error instanceof ServerError ? error.subError : last.suberror;
  return reasonOfKind[classifyEntraError({ error: said, suberror, code })];
}

function readIds(error: AuthError, last: LastAnswer) {
  const parsed = parseAadsts(error.errorMessage);
  const number =
    error instanceof ServerError || error instanceof InteractionRequiredAuthError ? error.errorNo : '';
  const code = /^[1-9]\d{3,9}$/u.test(String(number)) ? Number(number) : (parsed.code ?? last.code);
  const ownId = parseAadsts(`Correlation ID: ${error.correlationId}`).correlationId;
  return { code, correlationId: parsed.correlationId ?? ownId };
}

function unavailable(last: LastAnswer, code?: number, correlationId?: string): SignInFailed {
  const { retryAfterSeconds } = last;
  return new SignInFailed('unavailable', sentences.unavailable, { code, correlationId, retryAfterSeconds });
}
