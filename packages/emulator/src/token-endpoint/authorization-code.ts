/** Grant `authorization_code`: a code is redeemed once, by the client and at the tenant it was made for, with its verifier. */
import { createHash } from 'node:crypto';
import { AadstsError } from '../errors.ts';
import { raisePersonalFault } from '../faults.ts';
import type { AuthorizeRequest, CodeGrant } from '../grants.ts';
import { required } from '../parameters.ts';
import type { Realm } from '../realm.ts';
import { isSameSecret } from '../same-secret.ts';
import { checkProof, type GrantRequest } from './grant-request.ts';
import { issueToPerson } from './person-answer.ts';

/** @throws AADSTS70000, 70008, 54005, 500112, 501481, 50057, 50173 and those of `checkProof` and of the scopes */
export async function redeemCode(realm: Realm, request: GrantRequest): Promise<Record<string, unknown>> {
  const code = findCode(realm, request);
  checkProof(request, code.request.platform);
  checkRedirectUri(code.request, request.form);
  checkVerifier(code.request, request.form.get('code_verifier'));
  checkPerson(realm, request, code);
  // Marked before anything is awaited: of two redemptions at once only one gets tokens.
  code.redeemed = true;
  try {
    return await issueToPerson(
      realm,
      { ...request, app: code.app },
      {
        ...code,
        client: code.app,
        claims: request.form.has('claims') ? request.claims : code.request.claims,
        platform: code.request.platform,
        grantedScope: code.request.scope,
        // The code may span resources; without a scope of its own the redemption gets the first of them.
        isCode: true,
        ...(code.request.resource === undefined ? {} : { grantedResource: code.request.resource }),
        ...(code.request.nonce === undefined ? {} : { nonce: code.request.nonce }),
        clientInfo: code.request.clientInfo || request.form.get('client_info') === '1',
      },
    );
  } catch (problem) {
    // Refused for its scope: the code may be sent again with a better one.
    code.redeemed = false;
    throw problem;
  }
}

function findCode(realm: Realm, request: GrantRequest): CodeGrant {
  const code = realm.grants.codes.find(required(request.form, 'code'));
  const isForUs =
    code?.app.seed.clientId === request.app.seed.clientId &&
    code.request.segment.toLowerCase() === request.segment.toLowerCase();
  if (code === undefined || !isForUs) throw new AadstsError(70000);
  if (code.redeemed) throw new AadstsError(54005);
  if (code.expiresAtMs <= realm.nowMs()) throw new AadstsError(70008);
  return code;
}

function checkRedirectUri(authorize: AuthorizeRequest, form: URLSearchParams): void {
  const redirectUri = required(form, 'redirect_uri');
  if (redirectUri !== authorize.redirectUri)
    throw new AadstsError(500112, { redirectUri, expected: authorize.redirectUri });
}

/** A verifier without a challenge fails too: it means the two halves come from different sign-ins. */
function checkVerifier({ challenge }: AuthorizeRequest, verifier: string | null): void {
  if (challenge === undefined) {
    if (verifier !== null) throw new AadstsError(501481);
    return;
  }
  if (verifier === null || !/^[A-Za-z0-9._~-]{43,128}$/.test(verifier)) throw new AadstsError(501481);
  const derived =
    challenge.method === 'S256' ? createHash('sha256').update(verifier).digest('base64url') : verifier;
  if (!isSameSecret(derived, challenge.value)) throw new AadstsError(501481);
}

function checkPerson(realm: Realm, request: GrantRequest, code: CodeGrant): void {
  const { clientId } = request.app.seed;
  raisePersonalFault(realm.faults, { endpoint: 'token', clientId, username: code.user.seed.username });
  if (!code.user.enabled) throw new AadstsError(50057);
  if (code.sessionEpoch !== code.user.sessionEpoch) throw new AadstsError(50173);
}
