/** Everything that can go wrong on the way to Entra, as one kind of value. */
import {
  AuthError,
  ClientConfigurationError,
  InteractionRequiredAuthError,
  ServerError,
} from '@azure/msal-node';
import { classifyEntraError, findAadsts, parseAadsts } from '@valetkey/core/entra/aadsts';
import { DiscoveryRefused } from './authority.ts';
import { CredentialFailed } from './credential-failed.ts';
import type { EntraRefusal } from './entra.ts';
import type { LastAnswer } from './msal-network.ts';
import { NOT_JSON } from './msal-network.ts';
import { OutboundFailed } from './outbound.ts';

type Kind = EntraRefusal['kind'];

/**
 * Turns what an operation threw into a refusal. Its description holds no token, secret or code, and no word that
 * Entra said about a person.
 *
 * @param last how the operation's last request went: MSAL's errors keep neither status nor `Retry-After`.
 * @throws the error itself, when it is none of Entra, network or credential: `StoreUnavailable`, or a fault of ours.
 */
export function refusalFrom(error: unknown, last: LastAnswer): EntraRefusal {
  if (error instanceof CredentialFailed) return { kind: error.kind, description: error.message };
  if (error instanceof DiscoveryRefused) return { kind: 'operator', description: error.message };
  if (error instanceof OutboundFailed) return { kind: 'unavailable', description: error.message };
  if (!(error instanceof AuthError)) throw error;
  if (last.failed !== undefined) return { kind: 'unavailable', description: last.failed.message };

  const { code, correlationId } = readMsalError(error);
  const isOutage = last.status === 429 || (last.status ?? 0) >= 500;
  const refusal = describe(isOutage ? 'unavailable' : kindOf(error, code), code, correlationId);
  const { retryAfterSeconds, claims } = last;
  if (refusal.kind === 'interaction' && claims !== undefined) return { ...refusal, claims };
  return refusal.kind === 'unavailable' && retryAfterSeconds !== undefined
    ? { ...refusal, retryAfterSeconds }
    : refusal;
}

/**
 * Explains `error` and `error_description` of a callback. Only codes are taken out of them: anybody can write such a
 * URL, and its words would stand on our page as if they were ours.
 */
export function explainCallbackError(query: URLSearchParams): EntraRefusal {
  const { code, correlationId } = parseAadsts(query.get('error_description') ?? '');
  const kind = classifyEntraError({
    error: query.get('error') ?? 'unknown_error',
    suberror: query.get('error_subcode') ?? undefined,
    code,
  });
  return describe(kind, code, correlationId);
}

function kindOf(error: AuthError, code: number | undefined): Kind {
  // MSAL throws this for what Entra said and for what it found itself, such as no refresh token in its cache.
  if (error instanceof InteractionRequiredAuthError) return known(code)?.kind ?? 'interaction';
  if (error instanceof ServerError) {
    if (error.errorCode === NOT_JSON) return 'invalid';
    return classifyEntraError({ error: error.errorCode, suberror: error.subError, code });
  }
  if (error instanceof ClientConfigurationError) return 'operator';
  // MSAL read an answer and did not like it: a nonce, a token that is none, a missing part.
  return 'invalid';
}

function readMsalError(error: AuthError): { readonly code?: number; readonly correlationId?: string } {
  const parsed = parseAadsts(error.errorMessage);
  const number =
    error instanceof ServerError || error instanceof InteractionRequiredAuthError ? error.errorNo : '';
  const code = /^[1-9]\d{3,9}$/u.test(String(number)) ? Number(number) : parsed.code;
  const { correlationId } = parsed.correlationId
    ? parsed
    : parseAadsts(`Correlation ID: ${error.correlationId}`);
  return {
    ...(code === undefined ? {} : { code }),
    ...(correlationId === undefined ? {} : { correlationId }),
  };
}

const sentences: Readonly<Record<Kind, string>> = {
  declined: 'the sign-in was declined',
  interaction: 'Entra asks for a new sign-in',
  operator: 'Entra refuses the app registration or the request of this server',
  unavailable: 'Entra is not available: try again later',
  invalid: 'the answer of Entra is not valid',
};

const known = (code: number | undefined) => (code === undefined ? undefined : findAadsts(code));

/** In our words, or the catalogue's. Entra's own sentence names people and quotes what was sent to it. */
function describe(kind: Kind, code?: number, correlationId?: string): EntraRefusal {
  return {
    kind,
    description: known(code)?.title ?? sentences[kind],
    ...(code === undefined ? {} : { code }),
    ...(correlationId === undefined ? {} : { correlationId }),
  };
}
