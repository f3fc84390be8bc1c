/**
 * Room `device-code`: the endpoint that gives a device its two codes, and the page where a person types the short one
 * (RFC 8628). What the device polls for is in the token endpoint.
 */
import { randomInt } from 'node:crypto';
import { parseClaims } from './claims-request.ts';
import { findApp } from './directory.ts';
import { AadstsError } from './errors.ts';
import type { SignInRequest } from './grants.ts';
import { refuseRepeated, required } from './parameters.ts';
import type { Realm } from './realm.ts';
import { type EmulatorRequest, jsonReply, type Reply } from './request.ts';
import { parseScopes } from './scopes.ts';
import { advance, openFlow } from './sign-in.ts';
import { renderDevicePage } from './step-pages.ts';

const LIFETIME_SECONDS = 900;
const INTERVAL_SECONDS = 5;
/** No vowels and nothing that looks like something else: nobody types a word, or an O for a zero. */
const ALPHABET = 'BCDFGHJKLMNPQRSTVWXYZ23456789';
const USER_CODE_LENGTH = 9;

/** Accepts GET too, as Entra's v1 does. @throws AADSTS900144, 700016, 50059 and those of the scopes */
export function handleDeviceCode(
  realm: Realm,
  request: EmulatorRequest,
  segment: string,
  version: 1 | 2,
): Reply {
  const params = request.method === 'POST' ? request.form : request.query;
  refuseRepeated(params);
  const asked = readRequest(realm, params, segment, version);
  const userCode = createUserCode();
  const deviceCode = realm.grants.devices.add({
    userCode,
    request: asked,
    expiresAtMs: realm.nowMs() + LIFETIME_SECONDS * 1000,
    outcome: 'pending',
  });
  // The person's browser need not trust the local CA.
  const page = `${realm.httpOrigin}/devicelogin`;
  const message = `To sign in, use a web browser to open the page ${page} and enter the code ${userCode} to authenticate.`;
  const names = version === 2 ? { verification_uri: page } : { verification_url: page };
  const times =
    version === 2
      ? { expires_in: LIFETIME_SECONDS, interval: INTERVAL_SECONDS }
      : { expires_in: String(LIFETIME_SECONDS), interval: String(INTERVAL_SECONDS) };
  return jsonReply(200, { user_code: userCode, device_code: deviceCode, ...names, ...times, message });
}

function readRequest(realm: Realm, params: URLSearchParams, segment: string, version: 1 | 2): SignInRequest {
  const app = findApp(realm.directory, segment, required(params, 'client_id'));
  const scope =
    version === 2
      ? required(params, 'scope')
      : `openid profile offline_access ${required(params, 'resource')}/.default`;
  const resource = version === 2 ? (params.get('resource') ?? undefined) : undefined;
  parseScopes(app.tenant, app, scope, resource);
  return {
    segment,
    app,
    version,
    scope,
    claims: parseClaims(params.get('claims')),
    clientInfo: params.get('client_info') === '1',
    ...(resource === undefined ? {} : { resource }),
  };
}

function createUserCode(): string {
  return Array.from({ length: USER_CODE_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}

/** The page, and what is typed there. A right code leads to the sign-in; a wrong or late one stays. */
export async function handleDevicePage(realm: Realm, request: EmulatorRequest): Promise<Reply> {
  const action = `${request.origin}/devicelogin`;
  if (request.method !== 'POST')
    return renderDevicePage(
      action,
      request.query.get('otc') ?? request.query.get('user_code') ?? '',
      undefined,
    );
  const typed = (request.form.get('otc') ?? '').trim().toUpperCase();
  const found = realm.grants.devices.search((device) => device.userCode === typed);
  if (found === undefined || found[1].outcome !== 'pending') {
    return renderDevicePage(action, typed, { message: new AadstsError(70018).message });
  }
  const [deviceCode, device] = found;
  if (device.expiresAtMs <= realm.nowMs())
    return renderDevicePage(action, typed, { message: new AadstsError(70019).message });
  const purpose = { ...device.request, kind: 'device' as const, deviceCode };
  return advance(realm, request, openFlow(realm, purpose, undefined));
}
