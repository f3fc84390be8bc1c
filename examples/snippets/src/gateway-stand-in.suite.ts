/** For tests: publishes a key set over HTTP and signs identity headers as the gateway does. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export const issuer = 'https://mcp.contoso.test';
export const audience = 'https://mcp.contoso.test/snippets/mcp';

export interface GatewayStandIn {
  readonly jwksUrl: string;
  sign(claims: JWTPayload, header?: { typ?: string; kid?: string }): Promise<string>;
  identityOf(person: string): Promise<string>;
  close(): Promise<void>;
}

export async function startGatewayStandIn(): Promise<GatewayStandIn> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }] });
  const server = createServer((_req, res) => {
    res.writeHead(200, { 'content-type': 'application/json' }).end(jwks);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sign: GatewayStandIn['sign'] = (claims, header) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'valetkey-identity+jwt', ...header })
      .sign(privateKey);
  return {
    jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    sign,
    identityOf: (person) => sign(claimsOf(person)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function claimsOf(person: string): JWTPayload {
  const now = Math.floor(Date.now() / 1000);
  return { iss: issuer, aud: audience, sub: person, iat: now, exp: now + 300 };
}
