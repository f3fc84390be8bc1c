/**
 * The gateway is killed with SIGKILL between every two steps of a sign-in, and in the middle of them, and started again
 * on the same store: what was registered, allowed and issued is still there, and every sign-in ends well or begins anew.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CanaryBackend, startCanaryBackend } from '../support/canary-backend.ts';
import { type KillableGateway, prepareGateway } from '../support/gateway-process.ts';
import { type Answer, createHttpBrowser, type HttpBrowser } from '../support/http-person.ts';
import {
  type AuthorizeRequest,
  authorizeRequest,
  callMcp,
  type JsonAnswer,
  postForm,
  redeemCode,
  refresh,
  registerClient,
} from '../support/oauth-client.ts';
import { codeOf, signInAtEntra } from '../support/sign-in-steps.ts';

let canary: CanaryBackend;
let gateway: KillableGateway;
/** Access and refresh tokens of every sign-in that ended well: all of them must work to the end. */
const issued: { clientId: string; accessToken: string; refreshToken: string }[] = [];

beforeAll(async () => {
  canary = await startCanaryBackend();
  gateway = await prepareGateway(canary.url);
  await gateway.start();
  await gateway.stop();
  await gateway.start();
});
afterAll(async () => {
  await gateway.close();
  await canary.close();
});

async function restart(): Promise<void> {
  await gateway.kill();
  await gateway.start();
}

/** A sign-in on its way: each step reads what the ones before it have left here. */
interface Journey {
  readonly browser: HttpBrowser;
  clientId?: string;
  asked?: AuthorizeRequest;
  answer?: Answer;
  callbackUrl?: string;
  code?: string;
  tokens?: JsonAnswer;
}

const remember = { decision: 'allow', remember: 'yes' };

const steps: readonly (readonly [name: string, run: (journey: Journey) => Promise<number>])[] = [
  [
    'registration',
    async (journey) => {
      journey.clientId = await registerClient(gateway);
      return 201;
    },
  ],
  [
    'the authorization request',
    async (journey) => {
      journey.asked = authorizeRequest(gateway, required(journey.clientId));
      journey.answer = await journey.browser.request(journey.asked.url);
      return journey.answer.status;
    },
  ],
  [
    'the consent page',
    async (journey) => {
      journey.answer = await journey.browser.request(
        required(journey.answer?.location ?? journey.answer?.url),
      );
      return journey.answer.status;
    },
  ],
  [
    'the decision',
    async (journey) => {
      // Sent again, it is the same page that is sent again.
      const page = required(journey.answer);
      const answer = await journey.browser.submit(page, remember, []);
      if (answer.location !== undefined) journey.callbackUrl = answer.location;
      return answer.status;
    },
  ],
  [
    'the sign-in at Entra',
    async (journey) => {
      const person = required(gateway.emulator.seed.tenants[0]?.users[0]);
      if (!journey.callbackUrl?.startsWith(gateway.url)) {
        journey.callbackUrl = await signInAtEntra(gateway, journey.browser, journey.callbackUrl, person);
      }
      return 302;
    },
  ],
  [
    'the callback',
    async (journey) => {
      const answer = await journey.browser.request(required(journey.callbackUrl));
      if (answer.location !== undefined) journey.answer = answer;
      return answer.status;
    },
  ],
  [
    'the way back to the client',
    async (journey) => {
      const answer = await journey.browser.request(required(journey.answer?.location));
      journey.code = codeOf(answer) ?? journey.code ?? '';
      return answer.status;
    },
  ],
  [
    'the token request',
    async (journey) => {
      const tokens = await redeemCode(gateway, {
        clientId: required(journey.clientId),
        code: required(journey.code),
        verifier: required(journey.asked).verifier,
      });
      if (tokens.status === 200) journey.tokens = tokens;
      return tokens.status;
    },
  ],
  [
    'the refresh',
    async (journey) => {
      const before = journey.tokens;
      const tokens = await refresh(
        gateway,
        required(journey.clientId),
        String(before?.body['refresh_token']),
      );
      if (tokens.status === 200) journey.tokens = tokens;
      return tokens.status;
    },
  ],
];

function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('a step before this one has left nothing');
  return value;
}

const begin = (clientId?: string): Journey => ({
  browser: createHttpBrowser(),
  ...(clientId === undefined ? {} : { clientId }),
});

const expectedStatus = [201, 303, 200, 303, 302, 303, 303, 200, 200];

async function travel(journey: Journey, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 1) {
    const [name, run] = required(steps[at]);
    expect(await run(journey), name).toBe(expectedStatus[at]);
  }
}

async function keep(journey: Journey): Promise<void> {
  const { clientId, tokens } = journey;
  const pair = {
    clientId: required(clientId),
    accessToken: String(tokens?.body['access_token']),
    refreshToken: String(tokens?.body['refresh_token']),
  };
  expect((await callMcp(gateway.mcpUrl, pair.accessToken, 'ping')).status).toBe(200);
  issued.push(pair);
}

/** The whole sign-in again with the client as it is stored, as a person would do it. */
async function startOver(clientId: string | undefined): Promise<void> {
  const journey = begin(clientId);
  await travel(journey, clientId === undefined ? 0 : 1, steps.length);
  await keep(journey);
}

test.each(steps.map(([name], index) => [name, index] as const))(
  'A31 D22 D23 D49 D50: killed after %s, the sign-in goes on where it was',
  async (_name, index) => {
    const journey = begin();
    await travel(journey, 0, index + 1);
    await restart();
    await travel(journey, index + 1, steps.length);
    await keep(journey);
  },
);

test.each(steps.map(([name], index) => [name, index] as const))(
  'A47 D22: killed before the answer to %s arrived, the repeated request is no fault, and a new sign-in ends well',
  async (_name, index) => {
    const journey = begin();
    await travel(journey, 0, index + 1);
    await restart();
    const [, again] = required(steps[index]);
    expect(await again(journey)).toBeLessThan(500);
    await startOver(journey.clientId);
  },
);

test.each(
  steps
    .map(([name], index) => [name, index] as const)
    // Reading changes nothing, and Entra is not the gateway.
    .filter(([, index]) => index !== 2 && index !== 4),
)('D22: killed in the middle of %s, nothing is half done', async (_name, index) => {
  const journey = begin();
  await travel(journey, 0, index);
  const [, run] = required(steps[index]);
  const cut = run(journey).catch(() => 0);
  await gateway.kill();
  await cut;
  await gateway.start();
  const status = await run(journey).catch(() => 0);
  expect(status).toBeLessThan(500);
  await startOver(journey.clientId);
});

test('A40 A42: a consent that was remembered before a kill spares the page after it', async () => {
  const journey = begin();
  await travel(journey, 0, steps.length);
  await restart();
  const { url } = authorizeRequest(gateway, required(journey.clientId));
  const left = await journey.browser.follow(url, [gateway.url, gateway.emulator.httpOrigin]);
  expect(codeOf(left)).toBeDefined();
});

test('A18 A56: what was used up or revoked before a kill stays so after it', async () => {
  const spent = begin();
  await travel(spent, 0, steps.length - 1);
  const old = String(spent.tokens?.body['refresh_token']);
  await travel(spent, steps.length - 1, steps.length);
  const revoked = begin();
  await travel(revoked, 0, steps.length);
  const token = String(revoked.tokens?.body['access_token']);
  await postForm(`${gateway.url}/revoke`, { client_id: required(revoked.clientId), token });
  await restart();
  expect((await callMcp(gateway.mcpUrl, token, 'ping')).status).toBe(401);
  // Within the replay window the spent one gives what it gave before, and no third pair: an answer that the kill
  // swallowed can be asked for again.
  const again = await refresh(gateway, required(spent.clientId), old);
  expect(again.body['refresh_token']).toBe(spent.tokens?.body['refresh_token']);
});

test('D22 D49: after all those deaths every token works, every session refreshes, and nothing was ever a fault', async () => {
  await restart();
  expect(issued.length).toBeGreaterThan(20);
  for (const { clientId, accessToken, refreshToken } of issued) {
    expect((await callMcp(gateway.mcpUrl, accessToken, 'ping')).status).toBe(200);
    expect((await refresh(gateway, clientId, refreshToken)).status).toBe(200);
  }
  expect(gateway.said()).not.toMatch(/"level":50|unhandled|Error:/i);
  // Each record of the audit is whole, but for the line that a kill cut off.
  const lines = (await readFile(join(gateway.directory, 'audit.jsonl'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '');
  const broken = lines.filter((line) => {
    try {
      JSON.parse(line);
      return false;
    } catch {
      return true;
    }
  });
  expect(lines.length).toBeGreaterThan(100);
  expect(broken.length).toBeLessThan(30);
});
