/** What three gateways on one store must do together, and what each does while the store is away. */
import { type RealServer, until } from '@valetkey/gateway/store/real-servers.suite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  callMcp,
  obtainTokens,
  postJson,
  redeemCode,
  redirectUri,
  refresh,
  registerClient,
} from './oauth-client.ts';
import { type Product, startProduct } from './product.ts';
import { allow, codeOf, goToConsent, obtainCode, signInAtEntra } from './sign-in-steps.ts';

const replicas = 3;

export function testOnReplicas(name: string, startServer: () => Promise<RealServer>): void {
  describe(`${replicas} replicas on ${name}`, () => {
    let server: RealServer;
    let product: Product;
    beforeAll(async () => {
      server = await startServer();
      product = await startProduct({
        replicas,
        config: { store: 'env:STORE' },
        env: { STORE: server.url },
      });
    });
    afterAll(async () => {
      await product.close();
      await server.close();
    });
    const on = (replica: number | undefined) => {
      product.replicas.only = replica;
    };
    const callOn = async (replica: number, token: unknown) => {
      on(replica);
      return (await callMcp(product.mcpUrl, String(token), 'tools/list')).status;
    };

    test('A57 D22 D49: registered on one, asked on another, allowed on the third, back from Entra on the first, redeemed on the second; calls work on all', async () => {
      on(0);
      const clientId = await registerClient(product);
      on(1);
      const at = await goToConsent(product, { clientId });
      on(2);
      const entraUrl = (await allow(at)).location;
      on(0);
      const callback = await signInAtEntra(product, at.browser, entraUrl, product.people.reader);
      const code = codeOf(await at.browser.follow(callback, [product.url]));
      on(1);
      const { verifier } = at.request;
      const { status, body } = await redeemCode(product, { clientId, code: code ?? '', verifier });
      expect(status).toBe(200);
      for (const replica of [0, 1, 2]) expect(await callOn(replica, body['access_token'])).toBe(200);
      let token = String(body['refresh_token']);
      for (const replica of [2, 0, 1]) {
        on(replica);
        const refreshed = await refresh(product, clientId, token);
        expect(refreshed.status, `refresh on ${replica}`).toBe(200);
        token = String(refreshed.body['refresh_token']);
        expect(await callOn((replica + 1) % replicas, refreshed.body['access_token'])).toBe(200);
      }
    });

    test('A57: with each request on the next replica a sign-in works from end to end', async () => {
      on(undefined);
      product.replicas.served.length = 0;
      const { accessToken } = await obtainTokens(product, product.people.writer);
      const indexes = product.replicas.served.map((line) => line.slice(0, 1));
      expect(new Set(indexes).size, product.replicas.served.join('\n')).toBe(replicas);
      for (const replica of [0, 1, 2]) expect(await callOn(replica, accessToken)).toBe(200);
    });

    test('A31 D50: who registered on one replica is known on the others', async () => {
      on(2);
      const clientId = await registerClient(product, { client_name: 'Long lived' });
      for (const replica of [0, 1]) {
        on(replica);
        const { page } = await goToConsent(product, { clientId });
        expect(page.status).toBe(200);
        expect(page.text).toContain('Long lived');
      }
    });

    test('A57 D49: while the store is away tokens go on working, all else is 503 with Retry-After; afterwards nobody signs in again', async () => {
      on(undefined);
      const tokens = await obtainTokens(product, product.people.reader);
      const pending = await obtainCode(product, product.people.writer, { clientId: tokens.clientId });
      await server.kill();

      const refused = async (path: string, answer: Promise<Response>) => {
        const { status, headers } = await answer;
        expect(`${path} ${status}`).toBe(`${path} 503`);
        expect(Number(headers.get('retry-after')), path).toBeGreaterThan(0);
      };
      const form = (fields: Record<string, string>) => ({
        method: 'POST',
        body: new URLSearchParams(fields),
      });
      const authorize = new URLSearchParams({ client_id: tokens.clientId, redirect_uri: redirectUri });
      await Promise.all([
        ...[0, 1, 2].map(async () =>
          expect((await callMcp(product.mcpUrl, tokens.accessToken, 'tools/list')).status).toBe(200),
        ),
        refused('/authorize', fetch(`${product.url}/authorize?${authorize}`, { redirect: 'manual' })),
        refused(
          '/token refresh',
          fetch(
            `${product.url}/token`,
            form({
              grant_type: 'refresh_token',
              client_id: tokens.clientId,
              refresh_token: tokens.refreshToken,
              resource: product.mcpUrl,
            }),
          ),
        ),
        refused(
          '/register',
          fetch(`${product.url}/register`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' }),
          }),
        ),
      ]);
      expect((await fetch(`${product.url}/healthz`)).status).toBe(200);
      expect((await fetch(`${product.url}/readyz`)).status).toBe(503);
      expect(await callOn(1, tokens.accessToken), 'and later too').toBe(200);

      await server.start();
      on(undefined);
      await until('the gateways', async () => (await fetch(`${product.url}/readyz`)).status === 200);
      for (const replica of [0, 1, 2]) {
        on(replica);
        await until(`replica ${replica}`, async () => {
          const { status } = await postJson(`${product.url}/register`, {
            redirect_uris: [redirectUri],
            token_endpoint_auth_method: 'none',
          });
          return status === 201;
        });
      }
      on(undefined);
      const { clientId, code, request } = pending;
      const redeemed = await redeemCode(product, { clientId, code, verifier: request.verifier });
      expect(redeemed.status, 'a code that was on its way').toBe(200);
      const refreshed = await refresh(product, tokens.clientId, tokens.refreshToken);
      expect(refreshed.status, JSON.stringify(refreshed.body)).toBe(200);
      await obtainTokens(product, product.people.admin);
    });

    test('no log line of all this holds the password of the store', () => {
      const { password } = new URL(server.url);
      expect(password).not.toBe('');
      expect(product.logLines.filter((line) => line.includes(password))).toEqual([]);
    });
  });
}
