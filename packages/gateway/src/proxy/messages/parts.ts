/** What the ways through here have in common. */
import type { Clock } from '@valetkey/core/base/clock';
import type { RandomBytes } from '@valetkey/core/base/random';
import type { Result } from '@valetkey/core/base/result';
import type { JsonObject } from '@valetkey/core/mcp/json-rpc';
import { type Principal, personId } from '@valetkey/core/policy/principal';
import type { Logger } from 'pino';
import type { BackendConfig } from '../../config/config.ts';
import type { Store } from '../../store/collection.ts';
import type { RepeatingTimer } from '../../store/sweeper.ts';
import type { BackendFault, Forwarded } from '../backend-proxy.ts';
import type { KeepAlive } from '../keep-alive.ts';
import type { Conversation, Sharing } from './conversation.ts';
import type { Carrier, OpenLink } from './message-link.ts';
import type { Holder, OpenConversations } from './open-conversations.ts';
import type { DescribeFault } from './post-answer.ts';
import type { Spoken } from './spoken.ts';

export interface MessageBackendOptions {
  readonly backend: Pick<BackendConfig, 'name' | 'timeouts'>;
  readonly openLink: OpenLink;
  /** One link for each session, or one for all people. */
  readonly mode: 'perSession' | 'shared';
  /** Whether the era without sessions may be spoken with it at all. */
  readonly mayBeModern: boolean;
  /** What it is told of the caller in each message; undefined: messages are passed on as they are. */
  readonly metaFor?: (principal: Principal) => JsonObject;
  /** What it was told of the caller when its link was opened: with another word it is another session. */
  readonly toldAtOpening?: (principal: Principal) => string;
  readonly maxOpen: number;
  readonly maxPerPerson: number;
  readonly idleSeconds: number;
  /** Whether a sign-in has ended, and with it what was opened for it. */
  readonly isRevoked: (sessionId: string) => boolean;
  readonly describeFault: DescribeFault;
  readonly keepAlive: KeepAlive;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly timer: RepeatingTimer;
  readonly log: Logger;
}

/** What every way through here needs. */
export interface MessageParts extends MessageBackendOptions {
  /** All that are open to this backend, whatever they are for. */
  readonly kept: OpenConversations<Kept>;
  readonly open: (carrier: Carrier, sharing: Sharing) => Promise<Result<Conversation, BackendFault>>;
}

export interface Kept {
  readonly conversation: Conversation;
  /** The result of `initialize`, where the gateway has sent it. */
  readonly greeting?: JsonObject;
}

export type Answered = Promise<Result<Forwarded, BackendFault>>;

/** The sessions of the era that has them. */
export interface McpSessions {
  /** Begins one. The first message is `initialize`. */
  begin(carrier: Carrier, spoken: readonly Spoken[]): Answered;
  /** The conversation of a session, for its own person only. */
  enter(sessionId: string, carrier: Carrier): Promise<Result<Conversation, BackendFault>>;
  end(sessionId: string): Promise<void>;
  /** Whether the backend waits for a client that reads slowly: nobody else may wait with it. */
  readonly waits: boolean;
  /** What does not concern the backend. */
  readonly isForUs?: (spoken: Spoken) => boolean;
  /** What the gateway answers itself; undefined: it goes to the backend. */
  readonly answerOf?: (spoken: Spoken) => string | undefined;
}

/** Whose links these are: the person, and what was said of them when the link was opened. */
export function holderOf({ request }: Carrier, { toldAtOpening = () => '' }: MessageParts): Holder {
  const { principal } = request;
  return {
    name: `${personId(principal)} ${toldAtOpening(principal)}`,
    session: principal.sessionId,
  };
}

export function isError(text: string): boolean {
  return Object.hasOwn(JSON.parse(text) as object, 'error');
}
