import { err, ok, type Result } from '@valetkey/core/base/result';
import type { BackendFault } from '../backend-proxy.ts';
import type { Answer, Conversation } from './conversation.ts';
import type { Carrier } from './message-link.ts';
import type { Spoken } from './spoken.ts';

/** A request whose answer nobody but the gateway waits for at first. @returns the answer as the backend wrote it. */
export function askOnce(
  conversation: Conversation,
  spoken: Spoken,
  carrier: Carrier,
  timeoutMs: number,
): Promise<Result<string, BackendFault>> {
  return new Promise((resolve) => {
    const settle = (result: Result<string, BackendFault>) => {
      clearTimeout(timer);
      resolve(result);
    };
    const answer: Answer = {
      era: carrier.request.era,
      owner: '',
      add: () => undefined,
      settle(_id, text) {
        settle(ok(text));
        return undefined;
      },
      fail: (_id, fault) => settle(err(fault)),
      drop: () => settle(err('client_gone')),
    };
    const timer = setTimeout(() => {
      conversation.abandon(answer, true);
      settle(err('timeout'));
    }, timeoutMs);
    void conversation.ask(spoken, answer, carrier);
  });
}
