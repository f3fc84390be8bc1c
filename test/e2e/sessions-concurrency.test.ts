/** One code, one refresh token, and fifty requests with it at the same moment, on three replicas, on each store. */
import { randomBytes } from 'node:crypto';
import { openAdministration } from '@valetkey/gateway/administration';
import { startPostgres, startRedis } from '@valetkey/gateway/store/real-servers.suite';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callMcp, type JsonAnswer, obtainTokens, redeemCode, refresh } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';
import { obtainCode } from '../support/sign-in-steps.ts';

interface StoreServer {
  /** Undefined: the file that the product has anyway. */
  readonly url: string | undefined;
  close(): Promise<void>;
}

const servers: readonly [string, () => Promise<StoreServer>][] = [
  ['SQLite', async () => ({ url: undefined, close: async () => {} })],
  ['Redis', startRedis],
  ['PostgreSQL', startPostgres],
];
const replicas = [0, 1, 2];
const parallel = 50;
const rounds = 3;

describe.each(servers)('on %s', (name, startServer) => {
  let server: StoreServer;
  let product: Product;

  beforeAll(async () => {
    server = await startServer();
    const { url } = server;
    product = await startProduct({
      replicas: replicas.length,
      ...(url === undefined ? {} : { config: { store: 'env:STORE' }, env: { STORE: url } }),
    });
  });
  afterAll(async () => {
    await product.close();
    await server.close();
  });

  /** All at once, each on the next replica. */
  async function atOnce(send: () => Promise<JsonAnswer>): Promise<JsonAnswer[]> {
    product.replicas.only = undefined;
    product.replicas.served.length = 0;
    const answers = await Promise.all(Array.from({ length: parallel }, send));
    const served = replicas.map(
      (index) => product.replicas.served.filter((line) => line.startsWith(`${index} POST /token`)).length,
    );
    expect(Math.min(...served), `requests per replica: ${served.join(', ')}`).toBeGreaterThan(parallel / 4);
    return answers;
  }

  async function callOn(replica: number, token: unknown): Promise<number> {
    product.replicas.only = replica;
    const answer = await callMcp(product.mcpUrl, String(token), 'tools/list');
    await answer.arrayBuffer();
    product.replicas.only = undefined;
    return answer.status;
  }

  async function countSessions(client: string): Promise<number> {
    const opened = await openAdministration(product.config, {
      clock: { nowMs: () => Date.now() },
      random: (size) => randomBytes(size),
      log: pino({ level: 'silent' }),
    });
    if (!opened.ok) throw new Error(opened.error.problem);
    try {
      return (await opened.value.sessions.list({ client })).length;
    } finally {
      await opened.value.close();
    }
  }

  test(`A47 A57 D36: ${parallel} redemptions of one code are one grant, and the replay ends it on every replica`, async () => {
    const won: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const { clientId, code, request } = await obtainCode(product, product.people.reader);
      const answers = await atOnce(() => redeemCode(product, { clientId, code, verifier: request.verifier }));
      const granted = answers.filter(({ status }) => status === 200);
      const refused = answers.filter(({ status }) => status !== 200);
      won.push(granted.length);
      expect(granted.length).toBeLessThanOrEqual(1);
      expect(new Set(refused.map(({ status, body }) => `${status} ${String(body['error'])}`))).toEqual(
        new Set(['400 invalid_grant']),
      );
      // RFC 6749 §4.1.2: nobody knows which of the fifty was the client, so none of them keeps what it got.
      expect(await countSessions(clientId)).toBe(0);
      for (const { body } of granted) {
        for (const replica of replicas) {
          const status = () => callOn(replica, body['access_token']);
          await expect.poll(status, { timeout: 1000, interval: 50 }).toBe(401);
        }
        expect((await refresh(product, clientId, String(body['refresh_token']))).body['error']).toBe(
          'invalid_grant',
        );
      }
    }
    // Not that all were refused: the first did get its answer.
    expect(Math.max(...won)).toBe(1);
    process.stdout.write(
      `${name}: ${parallel} redemptions of one code, answers with tokens: ${won.join(', ')}\n`,
    );
  });

  test(`A18 A57 D21: ${parallel} refreshes of one token are one family, and nobody is signed out`, async () => {
    const { clientId, refreshToken } = await obtainTokens(product, product.people.writer);
    let token = refreshToken;
    for (let round = 0; round < rounds; round += 1) {
      const startedMs = performance.now();
      const answers = await atOnce(() => refresh(product, clientId, token));
      const tookMs = Math.round(performance.now() - startedMs);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      const pairs = answers.map(
        ({ body }) => `${String(body['access_token'])} ${String(body['refresh_token'])}`,
      );
      expect(new Set(pairs).size).toBe(1);
      const [first] = answers;
      for (const replica of replicas) expect(await callOn(replica, first?.body['access_token'])).toBe(200);
      token = String(first?.body['refresh_token']);
      process.stdout.write(`${name}: ${parallel} refreshes of one token in ${tookMs} ms: one pair\n`);
    }
    expect(await countSessions(clientId)).toBe(1);
    expect((await refresh(product, clientId, token)).status).toBe(200);
  });
});
