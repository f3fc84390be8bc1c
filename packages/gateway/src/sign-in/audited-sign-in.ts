import { createSignInId } from '@valetkey/core/base/sign-in-id';
import type { AuditEvent } from '../audit/event.ts';
import type { SignInRequest } from '../oauth/interactions.ts';

/** What every audit record of a sign-in says of it: which client, to which server, and what joins the records. */
export function auditedSignIn(
  request: SignInRequest,
): Pick<AuditEvent, 'clientId' | 'backend'> & { readonly signInId: string } {
  return {
    clientId: request.client.id,
    backend: request.backend.name,
    signInId: createSignInId(request.id),
  };
}
