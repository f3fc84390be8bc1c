/**
 * Grant `device_code`: the device asks again and again, and learns what the person decided. MSAL Node writes the bare name,
 * everybody else the URN of RFC 8628.
 */
import { findAppIn } from '../directory.ts';
import { AadstsError } from '../errors.ts';
import { raisePersonalFault } from '../faults.ts';
import { required } from '../parameters.ts';
import type { Realm } from '../realm.ts';
import { checkPublicOrProven, type GrantRequest } from './grant-request.ts';
import { issueToPerson } from './person-answer.ts';

/** @throws AADSTS70018, 70020, 70016, 65004 (`authorization_declined`), 54005, 50057, 50173, 7000218 */
export async function redeemDeviceCode(
  realm: Realm,
  request: GrantRequest,
): Promise<Record<string, unknown>> {
  checkPublicOrProven(request);
  // v1 calls it `code`.
  const deviceCode = required(request.form, request.form.has('code') ? 'code' : 'device_code');
  const device = realm.grants.devices.find(deviceCode);
  if (device === undefined || device.request.app.seed.clientId !== request.app.seed.clientId)
    throw new AadstsError(70018);
  if (device.expiresAtMs <= realm.nowMs()) throw new AadstsError(70020);
  const { outcome } = device;
  if (outcome === 'pending') throw new AadstsError(70016);
  if (outcome === 'declined') throw new AadstsError(65004, {}, { error: 'authorization_declined' });
  if (outcome === 'redeemed') throw new AadstsError(54005);
  const { user, proof } = outcome;
  const { clientId } = request.app.seed;
  raisePersonalFault(realm.faults, { endpoint: 'token', clientId, username: user.seed.username });
  if (!user.enabled) throw new AadstsError(50057);
  if (proof.sessionEpoch !== user.sessionEpoch) throw new AadstsError(50173);
  const app = findAppIn(realm.directory, user.tenant, clientId) ?? request.app;
  // Spent before anything is awaited: of two polls at once only one gets tokens.
  device.outcome = 'redeemed';
  const { scope, resource, claims } = device.request;
  // The device said what it wants when it asked for its codes; some clients repeat it here.
  request.form.delete('scope');
  return issueToPerson(
    realm,
    { ...request, app },
    {
      ...proof,
      user,
      client: app,
      claims: request.form.has('claims') ? request.claims : claims,
      platform: request.proof === 'none' ? 'publicClient' : 'web',
      grantedScope: scope,
      ...(resource === undefined ? {} : { grantedResource: resource }),
      clientInfo: device.request.clientInfo || request.form.get('client_info') === '1',
      isCode: true,
      expiresAtMs: device.expiresAtMs,
    },
  );
}
