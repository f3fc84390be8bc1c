import { expect, test } from 'vitest';
import { SignInPending } from './shared-prompt.ts';
import { withSignIn } from './with-sign-in.ts';

const prompt = {
  message: 'To sign in, open …',
  verificationUri: 'https://login.example/device',
  userCode: 'ABC',
};
const signal = new AbortController().signal;
const contextOf = (more: object) => ({ mcpReq: { signal, ...more } });
const capabilities = (elicitation: object) => ({
  envelope: { 'io.modelcontextprotocol/clientCapabilities': { elicitation } },
});
const pending = () => Promise.reject(new SignInPending(prompt));

test.each([
  ['url', { url: {} }, { mode: 'url', url: prompt.verificationUri }],
  ['url before form', { form: {}, url: {} }, { mode: 'url', url: prompt.verificationUri }],
  ['form', { form: {} }, { mode: 'form', requestedSchema: { type: 'object', properties: {} } }],
  ['a client that names no mode', {}, { mode: 'form', requestedSchema: { type: 'object', properties: {} } }],
])('A6: a device code is shown by the client: %s', async (_name, elicitation, params) => {
  const asked = { method: 'elicitation/create', params: { message: prompt.message, ...params } };
  for (const [context, legacy] of [
    [contextOf(capabilities(elicitation)), undefined],
    [contextOf({}), { elicitation }],
  ] as const) {
    expect(await withSignIn(context, legacy, pending)).toMatchObject({
      resultType: 'input_required',
      inputRequests: { 'valetkey-sign-in': asked },
    });
  }
});

test('A6: a client that can show nothing is waited for: the code stands on stderr', async () => {
  const asked = await withSignIn(contextOf({}), {}, async ({ onDeviceCode }) => onDeviceCode);
  expect(asked).toBe('wait');
  const failing = withSignIn(contextOf({}), {}, () => Promise.reject(new Error('other')));
  await expect(failing).rejects.toThrow('other');
});

test('A10: the person accepts in the client and is waited for, or declines and is not', async () => {
  const answered = (action: string) =>
    contextOf({ ...capabilities({ url: {} }), inputResponses: { 'valetkey-sign-in': { action } } });
  expect(await withSignIn(answered('accept'), {}, async ({ onDeviceCode }) => onDeviceCode)).toBe('wait');
  for (const action of ['decline', 'cancel', 'other']) {
    const ended: string[] = [];
    const run = withSignIn(answered(action), {}, pending, () => ended.push(action));
    await expect(run).rejects.toMatchObject({ reason: 'cancelled' });
    expect(ended).toEqual([action]);
  }
});
