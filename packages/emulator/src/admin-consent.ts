/** Room `admin-consent`: an administrator allows an app everything it is configured for, for the whole tenant. v1 and v2. */
import { NO_CLAIMS } from './claims-request.ts';
import { findApp, findPlatform } from './directory.ts';
import { AadstsError } from './errors.ts';
import type { AdminConsentRequest } from './grants.ts';
import { refuseSignIn } from './outcome.ts';
import { refuseRepeated, required } from './parameters.ts';
import type { Realm } from './realm.ts';
import type { EmulatorRequest, Reply } from './request.ts';
import { parseScopes } from './scopes.ts';
import { advance, isForTheDoor, openFlow } from './sign-in.ts';

/** Always with a sign-in of its own. @throws AADSTS900144, 700016, 50011 on the page */
export async function handleAdminConsent(
  realm: Realm,
  request: EmulatorRequest,
  segment: string,
  version: 1 | 2,
): Promise<Reply> {
  const { query } = request;
  refuseRepeated(query);
  const purpose = readRequest(realm, query, segment, version);
  try {
    parseScopes(purpose.app.tenant, purpose.app, purpose.scope, undefined);
    return await advance(realm, request, openFlow(realm, purpose, undefined));
  } catch (problem) {
    if (!(problem instanceof AadstsError) || isForTheDoor(problem)) throw problem;
    return refuseSignIn(realm, request, purpose, problem);
  }
}

function readRequest(
  realm: Realm,
  query: URLSearchParams,
  segment: string,
  version: 1 | 2,
): AdminConsentRequest {
  const app = findApp(realm.directory, segment, required(query, 'client_id'));
  const redirectUri =
    version === 2 ? required(query, 'redirect_uri') : findRedirectUri(query, app.redirectUris);
  findPlatform(app, redirectUri);
  const state = query.get('state');
  return {
    kind: 'adminConsent',
    segment,
    app,
    version,
    redirectUri,
    // v1 has no scope: it is always about everything that is configured.
    scope: version === 2 ? required(query, 'scope') : '',
    claims: NO_CLAIMS,
    clientInfo: false,
    ...(state === null ? {} : { state }),
  };
}

function findRedirectUri(query: URLSearchParams, registered: readonly { readonly uri: string }[]): string {
  return query.get('redirect_uri') ?? registered[0]?.uri ?? required(query, 'redirect_uri');
}
