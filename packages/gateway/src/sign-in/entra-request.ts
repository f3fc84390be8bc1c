import type { ResourceScope } from '../config/config.ts';
import type { SignInRequest } from '../oauth/interactions.ts';
import type { StepUpKey } from '../session/step-ups.ts';
import { groupScope, needsGroups } from './groups.ts';
import type { PendingSignIn, SignInFlow } from './sign-in-flow.ts';

/** What one sign-in asks of Entra beyond any other. */
export interface EntraRequest {
  readonly scopes: readonly string[];
  readonly claims?: string;
  /** For the callback: what was demanded of this person, and is asked for now. */
  readonly stepUp?: NonNullable<PendingSignIn['stepUp']>;
}

/**
 * @param person `personId`, as far as known: from this browser's last sign-in, or from Entra a moment ago. What is
 *   demanded of somebody else is found out at the callback, which then sends the browser to Entra once more.
 */
export async function findEntraRequest(
  flow: SignInFlow,
  request: SignInRequest,
  person: string | undefined,
): Promise<EntraRequest> {
  const own = entraScopesOf(request);
  if (person === undefined) return { scopes: own };
  const demanded = await flow.stepUps.find(stepUpKey(request, person));
  if (demanded === undefined) return { scopes: own };
  const { id, scopes, claims } = demanded;
  return {
    scopes: [...new Set([...own, ...scopes])],
    ...(claims === undefined ? {} : { claims }),
    stepUp: { person, id },
  };
}

/**
 * Scopes of Entra's behind those of ours that the client asks for, which is incremental consent; and what it takes to
 * read groups, where the rules go by them.
 */
export function entraScopesOf({ backend, scopes }: SignInRequest): string[] {
  const behind = ({ name, entra = [] }: ResourceScope) => (scopes.includes(name) ? entra : []);
  return [...new Set([...backend.scopes.flatMap(behind), ...(needsGroups(backend) ? [groupScope] : [])])];
}

export function stepUpKey(request: SignInRequest, person: string): StepUpKey {
  return { person, clientId: request.client.id };
}
