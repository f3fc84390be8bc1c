/**
 * Tools that ask the client back: by requests of their own in the legacy era, by `input_required` in the modern one
 * (SEP-2322). What a client must answer is asked for again while it is absent or malformed.
 */
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  createRequestStateCodec,
  type ElicitRequestFormParams,
  inputRequired,
  inputResponse,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { text } from './contents.ts';

type Schema = ElicitRequestFormParams['requestedSchema'];

/** One process serves every round, so nobody else needs the key. */
export const requestState = createRequestStateCodec<string>({
  key: crypto.getRandomValues(new Uint8Array(32)),
});

const answer = (value: string) => ({ content: [text(value)] });
const named = z.object({ name: z.string() });
const stringForm = (name: string): Schema => ({
  type: 'object',
  properties: { [name]: { type: 'string' } },
  required: [name],
});
const askName = (message: string) => inputRequired.elicit({ message, requestedSchema: stringForm('name') });
const askModel = (question: string, maxTokens: number) =>
  inputRequired.createMessage({
    messages: [{ role: 'user', content: text(question) }],
    maxTokens,
  });

export function capabilitiesOf({ mcpReq }: ServerContext): ClientCapabilities {
  const envelope = (mcpReq.envelope ?? {}) as Record<string, unknown>;
  return envelope[CLIENT_CAPABILITIES_META_KEY] ?? {};
}

/** Requests of the server's own, on the stream of the call. */
export function addLegacyAskingTools(server: McpServer): void {
  server.registerTool(
    'test_sampling',
    { description: 'Asks the client for a completion', inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, { mcpReq }) => {
      const { content } = await mcpReq.requestSampling(
        { messages: [{ role: 'user', content: text(prompt) }], maxTokens: 100 },
        { relatedRequestId: mcpReq.id },
      );
      return answer(`LLM response: ${JSON.stringify(content)}`);
    },
  );
  const elicit = async (mcpReq: ServerContext['mcpReq'], message: string, requestedSchema: Schema) => {
    const { action, content } = await mcpReq.elicitInput(
      { message, requestedSchema },
      { relatedRequestId: mcpReq.id },
    );
    return answer(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`);
  };
  server.registerTool(
    'test_elicitation',
    { description: 'Asks the person', inputSchema: z.object({ message: z.string() }) },
    ({ message }, { mcpReq }) => elicit(mcpReq, message, contactForm),
  );
  const defaults = { description: 'Asks with a default for each type', inputSchema: z.object({}) };
  server.registerTool('test_elicitation_sep1034_defaults', defaults, (_arguments, { mcpReq }) =>
    elicit(mcpReq, 'Please review the form', formWithDefaults),
  );
  const enums = { description: 'Asks with each kind of choice', inputSchema: z.object({}) };
  server.registerTool('test_elicitation_sep1330_enums', enums, (_arguments, { mcpReq }) =>
    elicit(mcpReq, 'Please choose', formWithChoices),
  );
}

/** Answers that are questions. */
export function addModernAskingTools(server: McpServer): void {
  const tool = (
    name: string,
    description: string,
    call: (context: ServerContext) => ReturnType<typeof oneRound> | Promise<ReturnType<typeof oneRound>>,
  ) =>
    server.registerTool(name, { description, inputSchema: z.object({}) }, (_arguments, context) =>
      call(context),
    );

  tool('test_input_required_result_elicitation', 'Asks for a name', askForName);
  tool('test_input_required_result_sampling', 'Asks the model', ({ mcpReq }) => {
    const given = inputResponse(mcpReq.inputResponses, 'capital_question');
    if (given.kind === 'sampling') return answer(JSON.stringify(given.result.content));
    return oneRound({ capital_question: askModel('What is the capital of France?', 100) });
  });
  tool('test_input_required_result_list_roots', 'Asks for the roots', ({ mcpReq }) => {
    const given = inputResponse(mcpReq.inputResponses, 'client_roots');
    if (given.kind === 'roots') return answer(given.roots.map(({ uri }) => uri).join(' '));
    return oneRound({ client_roots: inputRequired.listRoots() });
  });
  tool('test_input_required_result_request_state', 'Keeps its state with the client', confirmWithState);
  tool('test_input_required_result_tampered_state', 'Seals the state it gives away', confirmWithState);
  tool('test_input_required_result_multiple_inputs', 'Asks three things at once', askThree);
  tool('test_input_required_result_multi_round', 'Asks twice, one after the other', askTwice);
  tool('test_input_required_result_capabilities', 'Asks what the client can answer', askWhatIsPossible);
  tool('test_missing_capability', 'Needs sampling', () => oneRound({ model: askModel('Anything', 10) }));
  tool('test_streaming_elicitation', 'Asks for a name, never by a request of its own', askForName);
}

function oneRound(inputRequests: Parameters<typeof inputRequired>[0]['inputRequests'] = {}, state?: string) {
  return inputRequired({ inputRequests, ...(state === undefined ? {} : { requestState: state }) }) as
    | ReturnType<typeof inputRequired>
    | ReturnType<typeof answer>;
}

export function askForName({ mcpReq }: ServerContext) {
  const given = acceptedContent(mcpReq.inputResponses, 'user_name', named);
  if (given !== undefined) return answer(`Hello, ${given.name}!`);
  return oneRound({ user_name: askName('What is your name?') });
}

async function confirmWithState({ mcpReq }: ServerContext) {
  const given = acceptedContent(mcpReq.inputResponses, 'confirm', z.object({ ok: z.boolean() }));
  if (given !== undefined && mcpReq.requestState<string>() === 'confirming') return answer('state-ok');
  const requestedSchema: Schema = {
    type: 'object',
    properties: { ok: { type: 'boolean' } },
    required: ['ok'],
  };
  const confirm = inputRequired.elicit({ message: 'Please confirm', requestedSchema });
  return oneRound({ confirm }, await requestState.mint('confirming'));
}

async function askThree({ mcpReq }: ServerContext) {
  const name = acceptedContent(mcpReq.inputResponses, 'user_name', named)?.name;
  const kinds = ['greeting', 'client_roots'].map((key) => inputResponse(mcpReq.inputResponses, key).kind);
  if (name !== undefined && kinds.join() === 'sampling,roots') return answer(`Everything from ${name}`);
  const asked = {
    user_name: askName('What is your name?'),
    greeting: askModel('Generate a greeting', 50),
    client_roots: inputRequired.listRoots(),
  };
  return oneRound(asked, await requestState.mint('three'));
}

async function askTwice({ mcpReq }: ServerContext) {
  const state = mcpReq.requestState<string>();
  const colour = acceptedContent(mcpReq.inputResponses, 'step2', z.object({ color: z.string() }))?.color;
  if (state?.startsWith('second ') && colour !== undefined)
    return answer(`${state.slice('second '.length)} likes ${colour}`);
  const name = acceptedContent(mcpReq.inputResponses, 'step1', named)?.name;
  if (state !== 'first' || name === undefined)
    return oneRound({ step1: askName('Step 1: What is your name?') }, await requestState.mint('first'));
  const message = 'Step 2: What is your favorite color?';
  const step2 = inputRequired.elicit({ message, requestedSchema: stringForm('color') });
  return oneRound({ step2 }, await requestState.mint(`second ${name}`));
}

function askWhatIsPossible(context: ServerContext) {
  const { sampling, elicitation } = capabilitiesOf(context);
  const asked = {
    ...(sampling === undefined ? {} : { model: askModel('What is possible?', 50) }),
    ...(elicitation === undefined ? {} : { user_name: askName('What is your name?') }),
  };
  return Object.keys(asked).length === 0 ? answer('Nothing can be asked') : oneRound(asked);
}

const contactForm: Schema = {
  type: 'object',
  properties: {
    username: { type: 'string', description: "User's response" },
    email: { type: 'string', description: "User's email address" },
  },
  required: ['username', 'email'],
};

/** SEP-1034. */
const formWithDefaults: Schema = {
  type: 'object',
  properties: {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  },
  required: [],
};

const options = ['option1', 'option2', 'option3'];
const titled = ['First', 'Second', 'Third'].map((title, index) => ({ const: `value${index + 1}`, title }));

/** SEP-1330. */
const formWithChoices: Schema = {
  type: 'object',
  properties: {
    untitledSingle: { type: 'string', enum: options },
    titledSingle: { type: 'string', oneOf: titled },
    legacyEnum: {
      type: 'string',
      enum: ['opt1', 'opt2', 'opt3'],
      enumNames: ['Option One', 'Option Two', 'Option Three'],
    },
    untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
    titledMulti: { type: 'array', items: { anyOf: titled } },
  },
  required: [],
};
