import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  audience,
  claimsOf,
  type GatewayStandIn,
  issuer,
  startGatewayStandIn,
} from './gateway-stand-in.suite.ts';
import { createIdentityVerifier, IdentityKeysUnavailable, type VerifyIdentity } from './identity.ts';

let gateway: GatewayStandIn;
let verify: VerifyIdentity;

beforeAll(async () => {
  gateway = await startGatewayStandIn();
  verify = createIdentityVerifier({ issuer, audience, jwksUrl: gateway.jwksUrl });
});

afterAll(() => gateway.close());

test('A53: a header that the gateway signed names its person', async () => {
  expect(await verify(await gateway.identityOf('t.anna'))).toBe('t.anna');
});

const past = Math.floor(Date.now() / 1000) - 600;
const forged = async () => {
  const { privateKey } = await generateKeyPair('ES256');
  return new SignJWT(claimsOf('t.anna'))
    .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'valetkey-identity+jwt' })
    .sign(privateKey);
};
const { sub: _, ...nobody } = claimsOf('t.anna');

test.each<[string, () => Promise<string | string[] | undefined> | string | string[] | undefined]>([
  ['absent', () => undefined],
  ['sent twice', async () => [await gateway.identityOf('t.anna'), await gateway.identityOf('t.ben')]],
  ['plain text', () => 't.anna'],
  ['unsigned', () => new UnsecuredJWT(claimsOf('t.anna')).encode()],
  ['signed by another key of the same id', forged],
  ['of an unknown key', () => gateway.sign(claimsOf('t.anna'), { kid: 'k2' })],
  ['for another backend', () => gateway.sign({ ...claimsOf('t.anna'), aud: `${audience}-other` })],
  ['of another gateway', () => gateway.sign({ ...claimsOf('t.anna'), iss: 'https://evil.test' })],
  ['expired', () => gateway.sign({ ...claimsOf('t.anna'), iat: past, exp: past + 300 })],
  ['a token of another kind', () => gateway.sign(claimsOf('t.anna'), { typ: 'at+jwt' })],
  ['of nobody', () => gateway.sign(nobody)],
])('A53: an identity header that is %s proves nothing', async (_case, header) => {
  expect(await verify(await header())).toBeUndefined();
});

test('A28 A53: keys that are rotated right after they were fetched are known before a rotation uses them', async () => {
  const rotating = await startGatewayStandIn();
  const verifyRotating = createIdentityVerifier({ issuer, audience, jwksUrl: rotating.jwksUrl });
  expect(await verifyRotating(await rotating.identityOf('t.anna'))).toBe('t.anna');
  await rotating.rotate('k2');
  // `valetkey keys rotate` waits five seconds between publishing a key and signing with it.
  const header = await rotating.identityOf('t.anna');
  await expect.poll(() => verifyRotating(header), { timeout: 4_500 }).toBe('t.anna');
  const before = rotating.fetches();
  const unknown = await rotating.sign(claimsOf('t.anna'), { kid: 'k3' });
  for (let times = 0; times < 100; times += 1) expect(await verifyRotating(unknown)).toBeUndefined();
  expect(rotating.fetches() - before, 'forged ids are no way to flood the gateway').toBeLessThanOrEqual(1);
  await rotating.close();
});

test('unreachable keys are an outage, not a verdict', async () => {
  const lonely = await startGatewayStandIn();
  const verifyLonely = createIdentityVerifier({ issuer, audience, jwksUrl: lonely.jwksUrl });
  const header = await lonely.identityOf('t.anna');
  await lonely.close();
  await expect(verifyLonely(header)).rejects.toThrow(IdentityKeysUnavailable);
});
