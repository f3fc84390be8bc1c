/**
 * Room `token-endpoint`: one file per grant behind one door. The door reads the form and proves the client; the grant judges.
 */
import { authenticateClient } from '../client-auth.ts';
import { AadstsError } from '../errors.ts';
import { parseClaims } from '../claims-request.ts';
import { refuseRepeated, required } from '../parameters.ts';
import type { Realm } from '../realm.ts';
import { type EmulatorRequest, jsonReply, type Reply } from '../request.ts';
import { redeemCode } from './authorization-code.ts';
import { issueAppToken } from './client-credentials.ts';
import type { GrantRequest } from './grant-request.ts';
import { actOnBehalf } from './on-behalf-of.ts';
import { takePassword } from './password.ts';
import { signInAgentUser } from './user-credential.ts';
import { refresh } from './refresh-token.ts';
import { redeemDeviceCode } from './device-code.ts';

type Grant = (realm: Realm, request: GrantRequest) => Promise<Record<string, unknown>>;

const grants: ReadonlyMap<string, Grant> = new Map([
  ['authorization_code', redeemCode],
  ['refresh_token', refresh],
  ['client_credentials', issueAppToken],
  ['urn:ietf:params:oauth:grant-type:jwt-bearer', actOnBehalf],
  ['urn:ietf:params:oauth:grant-type:device_code', redeemDeviceCode],
  ['device_code', redeemDeviceCode],
  ['password', takePassword],
  ['user_fic', signInAgentUser],
]);

/** Whether a page may have the tokens is decided by the platform of the redirect URI; its browser is told yes. */
export const CROSS_ORIGIN = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Content-Length,Content-Encoding,x-ms-request-id,client-request-id',
};
const PREFLIGHT = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'POST, OPTIONS',
  'access-control-allow-headers':
    'client-request-id,x-client-sku,x-client-ver,x-client-os,x-client-cpu,content-type',
  'access-control-max-age': '86400',
};

/** @throws AadstsError */
export async function handleToken(
  realm: Realm,
  request: EmulatorRequest,
  segment: string,
  version: 1 | 2,
): Promise<Reply> {
  if (request.method === 'OPTIONS') return { status: 200, headers: PREFLIGHT };
  if (request.method !== 'POST') throw new AadstsError(900561, { accepts: 'POST', method: request.method });
  const { form } = request;
  refuseRepeated(form);
  const grantType = required(form, 'grant_type');
  const grant = grants.get(grantType);
  if (grant === undefined) throw new AadstsError(70003, { grantType });
  const client = await authenticateClient(realm, request, segment);
  const { origin } = request.headers;
  const claims = parseClaims(form.get('claims'));
  const asked = { form, segment, version, claims, ...client };
  const answer = await grant(realm, origin === undefined ? asked : { ...asked, origin });
  return jsonReply(200, answer, origin === undefined ? {} : CROSS_ORIGIN);
}
