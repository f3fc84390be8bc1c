import type { ConsentView } from '../consent/page.ts';
import type { Exchange } from '../http/exchange.ts';
import type { SignInRequest } from '../oauth/interactions.ts';
import { entraScopesOf } from './entra-request.ts';
import type { SignInFlow } from './sign-in-flow.ts';

const secondsPerDay = 24 * 3600;

/** What the consent page says of a request: everything a person needs to see through an impostor. */
export function consentView(
  flow: SignInFlow,
  exchange: Exchange,
  request: SignInRequest,
  csrfToken: string,
): ConsentView {
  const { client, backend } = request;
  const asked = new Set(request.scopes);
  return {
    clientName: client.name,
    clientId: client.id,
    ...(client.uri === undefined ? {} : { clientUri: client.uri }),
    origin: originOf(request),
    redirectUri: request.redirectUri,
    backendTitle: backend.title,
    resource: backend.resource,
    scopes: backend.scopes.filter((scope) => asked.has(scope.name)),
    entraScopes: [
      ...new Set([
        'openid',
        'profile',
        'offline_access',
        ...flow.config.entra.scopes,
        ...entraScopesOf(request),
      ]),
    ],
    csrfToken,
    formAction: exchange.url.pathname,
    rememberDays: Math.round(flow.config.lifetimes.consentSeconds / secondsPerDay),
  };
}

function originOf({ client }: SignInRequest): ConsentView['origin'] {
  if (client.source === 'configured') return { kind: 'configured' };
  if (client.source === 'registered') return { kind: 'unverified' };
  return { kind: 'verified', host: new URL(client.id).host };
}
