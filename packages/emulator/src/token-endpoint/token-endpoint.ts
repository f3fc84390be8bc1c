/**
 * Room `token-endpoint`: one file per grant behind one door. The door reads the form and proves the client; the grant judges.
 * On-behalf-of and device code get a row here and a file beside these.
 */
import { authenticateClient } from '../client-auth.ts';
import { AadstsError } from '../errors.ts';
import { refuseRepeated, required } from '../parameters.ts';
import type { Realm } from '../realm.ts';
import { type EmulatorRequest, jsonReply, type Reply } from '../request.ts';
import { redeemCode } from './authorization-code.ts';
import { issueAppToken } from './client-credentials.ts';
import type { GrantRequest } from './grant-request.ts';
import { refresh } from './refresh-token.ts';

type Grant = (realm: Realm, request: GrantRequest) => Promise<Record<string, unknown>>;

const grants: ReadonlyMap<string, Grant> = new Map([
  ['authorization_code', redeemCode],
  ['refresh_token', refresh],
  ['client_credentials', issueAppToken],
]);

/** @throws AadstsError */
export async function handleToken(
  realm: Realm,
  request: EmulatorRequest,
  segment: string,
  version: 1 | 2,
): Promise<Reply> {
  if (request.method !== 'POST') throw new AadstsError(900561, { accepts: 'POST', method: request.method });
  const { form } = request;
  refuseRepeated(form);
  const grantType = required(form, 'grant_type');
  const grant = grants.get(grantType);
  if (grant === undefined) throw new AadstsError(70003, { grantType });
  const client = await authenticateClient(realm, request, segment);
  const { origin } = request.headers;
  return jsonReply(
    200,
    await grant(realm, { form, segment, version, ...client, ...(origin === undefined ? {} : { origin }) }),
  );
}
