/** One POST of a client: its messages to the backend, in their order, and what comes of them back. */
import { err, type Result } from '@valetkey/core/base/result';
import { isRequest } from '@valetkey/core/mcp/json-rpc';
import type { BackendFault, Forwarded } from '../backend-proxy.ts';
import type { Conversation } from './conversation.ts';
import type { MessageParts } from './parts.ts';
import type { Carrier } from './message-link.ts';
import { createPostAnswer } from './post-answer.ts';
import { reply } from './reply.ts';
import type { Spoken } from './spoken.ts';

export interface Turn {
  readonly carrier: Carrier;
  readonly spoken: readonly Spoken[];
  readonly conversation: Conversation;
  /** Whose request ids these are. */
  readonly owner: string;
  /** Whether the backend waits for a client that reads slowly: nobody else may wait with it. */
  readonly waits: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** Told of each answer before it goes out; undefined: it is a fault. */
  readonly onSettled?: (text: string | undefined) => void;
  /** What the gateway answers itself; undefined: it goes to the backend. */
  readonly answerOf?: (spoken: Spoken) => string | undefined;
}

export async function converse(parts: MessageParts, turn: Turn): Promise<Result<Forwarded, BackendFault>> {
  const { carrier, spoken, conversation, owner, answerOf = () => undefined } = turn;
  const requests = spoken.map(({ message }) => message).filter(isRequest);
  const [message] = requests;
  if (message === undefined) return tellAll(parts, turn);

  const answer = createPostAnswer({
    ...carrier,
    owner,
    ids: requests.map(({ id }) => id),
    message,
    isBatch: spoken.length > 1 || isArray(carrier),
    headers: turn.headers ?? {},
    firstMessageTimeoutMs: parts.backend.timeouts.firstByteMs,
    keepAlive: parts.keepAlive,
    waits: turn.waits,
    describeFault: parts.describeFault,
    ...(turn.onSettled === undefined ? {} : { onSettled: turn.onSettled }),
    onAbandoned: (abandoned, why) =>
      // In the era with sessions a lost connection is no cancellation; in the other it is (MCP Transports).
      conversation.abandon(abandoned, why === 'timeout' || carrier.request.era === 'modern'),
  });
  for (const each of spoken) {
    if (!isRequest(each.message)) void conversation.tell(each, owner, carrier);
    else {
      const own = answerOf(each);
      if (own === undefined) void conversation.ask(each, answer, carrier);
      else void answer.settle(each.message.id, own);
    }
  }
  return answer.forwarded;
}

/** Notifications and answers of the client: 202 as soon as the backend has them. */
async function tellAll(parts: MessageParts, { carrier, spoken, conversation, owner }: Turn) {
  for (const each of spoken) {
    const fault = await inTime(conversation.tell(each, owner, carrier), parts.backend.timeouts.firstByteMs);
    if (fault !== undefined) return err(fault);
  }
  return reply(carrier.exchange, 202);
}

async function inTime(
  sent: Promise<BackendFault | undefined>,
  timeoutMs: number,
): Promise<BackendFault | undefined> {
  const late = Promise.withResolvers<BackendFault>();
  const timer = setTimeout(() => late.resolve('timeout'), timeoutMs);
  try {
    return await Promise.race([sent, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A batch of one is answered with a batch of one. */
function isArray({ request }: Carrier): boolean {
  return /^\s*\[/.test(new TextDecoder().decode(request.body?.subarray(0, 100)));
}
