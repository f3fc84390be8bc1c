import type { Acquired } from '../../entra/kept-tokens.ts';
import type { EntraRefusal } from '../../entra/entra.ts';
import { err, ok } from '@valetkey/core/base/result';
import { Secret } from '@valetkey/core/base/secret';
import type { BackendFault } from '../backend-proxy.ts';
import { type CredentialHeaders, refused, type Shown } from './backend-credential.ts';

const scheme = 'Bearer ';

/** A token as a backend sees it (RFC 6750 §2.1). */
export function bearer(token: Secret): CredentialHeaders {
  return { authorization: `${scheme}${token.reveal()}` };
}

/** The token of headers that were shown. */
export function tokenOf(shown: CredentialHeaders): Secret {
  return new Secret((shown['authorization'] ?? '').slice(scheme.length));
}

/** @param explain what a refusal means for the request. */
export function showToken(
  acquired: Acquired<EntraRefusal>,
  explain: (refusal: EntraRefusal) => BackendFault,
): Shown {
  return acquired.ok ? ok(bearer(acquired.value.accessToken)) : err(explain(acquired.error));
}

/** A token that is the refused one again is not tried again. */
export function showOther(other: Shown, shown: CredentialHeaders): Shown {
  return other.ok && other.value['authorization'] === shown['authorization'] ? refused : other;
}

/** Without a word of Entra's, how long a client should wait. */
const retryAfterSeconds = 5;

/** What a refusal means that nobody's sign-in can change. */
export function faultOf(refusal: EntraRefusal): BackendFault {
  if (refusal.kind !== 'unavailable') return 'no_credential';
  return {
    kind: 'credential_unavailable',
    retryAfterSeconds: refusal.retryAfterSeconds ?? retryAfterSeconds,
  };
}
