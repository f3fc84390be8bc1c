/** The stand-alone stream of a session (GET): what a backend says that belongs to no request. */
import type { Forwarded, StreamEnd } from '../backend-proxy.ts';
import type { KeepAlive } from '../keep-alive.ts';
import type { Conversation } from './conversation.ts';
import { openEventStream, rewriteText } from './event-writer.ts';
import type { Carrier } from './message-link.ts';

export interface ListenStreamOptions extends Carrier {
  readonly owner: string;
  readonly conversation: Conversation;
  readonly keepAlive: KeepAlive;
  readonly waits: boolean;
}

export function openListenStream(options: ListenStreamOptions): Forwarded {
  const { exchange, request, owner, conversation, keepAlive, waits } = options;
  const { res } = exchange;
  const ended = Promise.withResolvers<StreamEnd>();
  const state: { end: StreamEnd } = { end: 'client_gone' };
  const writer = openEventStream({ res, headers: {}, keepAlive, waits });
  const stop = conversation.listen({
    owner,
    add: (text) => writer.write(rewriteText(text, request.rewriteMessage)),
    end(isLost) {
      state.end = isLost ? 'backend_lost' : 'complete';
      writer.end();
    },
  });
  const onClose = () => {
    stop();
    ended.resolve(state.end);
  };
  if (res.closed) onClose();
  else res.once('close', onClose);
  return { status: 200, ended: ended.promise };
}
