/** Stops: two people whose Entra tokens look alike, and one of whom would get what was fetched in the other's name. */
import { personId } from '@valetkey/core/policy/principal';
import { Secret } from '@valetkey/core/base/secret';
import { createEntraTokenVerifier } from '@valetkey/gateway/enforce/verify-entra-token';
import { createKeptTokens } from '@valetkey/gateway/entra/kept-tokens';
import { exportJWK, createLocalJWKSet, generateKeyPair, SignJWT } from 'jose';
import { expect, test } from 'vitest';

const tenant = '10000000-0000-4000-8000-00000000c0de';
const authorityHost = 'https://login.microsoftonline.com';
const audience = ['api://snippets'];
const clock = { nowMs: () => Date.now() };

async function createSigner() {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256' }] });
  const now = Math.floor(clock.nowMs() / 1000);
  const common = {
    iss: `${authorityHost}/${tenant}/v2.0`,
    aud: 'api://snippets',
    tid: tenant,
    azp: 'one-client',
    scp: 'snippets.use',
    iat: now,
    nbf: now,
    exp: now + 3600,
  };
  const tokenOf = (oid: string, more: Record<string, unknown> = {}) =>
    new SignJWT({ ...common, oid, ...more }).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).sign(privateKey);
  const verifier = createEntraTokenVerifier({
    cloud: { name: 'public', authorityHost },
    tenants: [tenant],
    audience,
    allowsApplications: false,
    keysOf: async () => keys,
    clock,
  });
  return { tokenOf, verifier };
}

const people = ['10000000-0000-4000-8000-00000000000a', '10000000-0000-4000-8000-00000000000b'];

test.each([
  ['without an id', {}],
  ['with an empty one', { uti: '' }],
  ['with one that is no text', { uti: 7 }],
])('A21 D14: tokens of one second %s keep two people apart', async (_what, more) => {
  const { tokenOf, verifier } = await createSigner();
  const kept = createKeptTokens<{ readonly retryAfterSeconds?: number }>({ clock });
  const fetched: string[] = [];
  for (const oid of people) {
    const verified = await verifier.verify(await tokenOf(oid, more), '');
    if (!verified.ok) throw new Error(verified.error);
    const { principal, tokenId } = verified.value;
    const token = await kept.get({
      owner: tokenId,
      name: 'User.Read',
      acquire: async () => ({
        ok: true,
        value: {
          accessToken: new Secret(personId(principal)),
          expiresAtSeconds: Math.floor(Date.now() / 1000) + 3600,
        },
      }),
    });
    fetched.push(token.ok ? token.value.accessToken.reveal() : '');
  }
  expect(fetched).toEqual(people.map((oid) => `${tenant}.${oid}`));
});
