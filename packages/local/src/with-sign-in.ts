/**
 * Shows a device code in the client's own window where it can (MCP elicitation), in both protocol eras. Knows the shape
 * of a request and of an answer, not the SDK: the tool's author has that.
 */
import { randomUUID } from 'node:crypto';
import type { TokenOptions } from './token-source.ts';
import { SignInPending } from './shared-prompt.ts';
import { cancelled } from './sign-in-failed.ts';

/** What is used of the context that the MCP SDK gives to a tool. */
export interface ToolContext {
  readonly mcpReq: {
    readonly signal: AbortSignal;
    readonly envelope?: Readonly<Record<string, unknown>> | undefined;
    readonly inputResponses?: Readonly<Record<string, unknown>> | undefined;
  };
}

/** MCP 2026-07-28 Multi Round-Trip Requests: "ask this, and call me again". For a legacy client the SDK does the asking. */
export interface InputRequired {
  resultType: 'input_required';
  inputRequests: Record<string, Elicitation>;
  [key: string]: unknown;
}

export interface Elicitation {
  method: 'elicitation/create';
  params:
    | { mode: 'url'; message: string; url: string; elicitationId: string }
    | {
        mode: 'form';
        message: string;
        requestedSchema: { type: 'object'; properties: Record<string, never> };
      };
}

const answerKey = 'valetkey-sign-in';
const capabilitiesKey = 'io.modelcontextprotocol/clientCapabilities';

/**
 * Runs a tool that may need the person.
 *
 * Where the client can show a page (elicitation in URL mode) or a message (form mode), a device code goes there as well
 * as to stderr: the first call ends with "input required", the sign-in goes on, and the repeated call waits for it.
 *
 * @param legacyCapabilities what `initialize` said the client can: `server.server.getClientCapabilities()`. A modern
 *   request says it itself.
 * @param run gets the options for `getToken` and `callGraph`.
 * @param decline is called when the person declines there: `auth.cancelPrompt`.
 * @throws what `run` throws; SignInFailed `cancelled` when the person declines in the client.
 */
export async function withSignIn<Value>(
  context: ToolContext,
  legacyCapabilities: unknown,
  run: (options: TokenOptions) => Promise<Value>,
  decline: () => void = () => undefined,
): Promise<Value | InputRequired> {
  const { signal, envelope, inputResponses } = context.mcpReq;
  const mode = findMode(envelope?.[capabilitiesKey] ?? legacyCapabilities);
  const answered = read(inputResponses, answerKey);
  const action = read(answered, 'action');
  if (answered !== undefined && action !== 'accept') {
    decline();
    throw cancelled();
  }
  const isAsking = mode !== undefined && answered === undefined;
  try {
    return await run({ signal, onDeviceCode: isAsking ? 'interrupt' : 'wait' });
  } catch (error) {
    if (!(error instanceof SignInPending) || mode === undefined) throw error;
    const { message, verificationUri } = error.prompt;
    const params: Elicitation['params'] =
      mode === 'url'
        ? { mode, message, url: verificationUri, elicitationId: randomUUID() }
        : { mode, message, requestedSchema: { type: 'object', properties: {} } };
    const method = 'elicitation/create';
    return { resultType: 'input_required', inputRequests: { [answerKey]: { method, params } } };
  }
}

/** A client that names no mode has forms only (MCP 2025-11-25 Elicitation). */
function findMode(capabilities: unknown): 'url' | 'form' | undefined {
  const elicitation = read(capabilities, 'elicitation');
  if (typeof elicitation !== 'object' || elicitation === null) return undefined;
  if (read(elicitation, 'url') !== undefined) return 'url';
  return read(elicitation, 'form') !== undefined || Object.keys(elicitation).length === 0
    ? 'form'
    : undefined;
}

function read(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (Reflect.get(value, key) as unknown)
    : undefined;
}
