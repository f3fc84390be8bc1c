import { randomId } from '@valetkey/core/base/random';
import { err, ok } from '@valetkey/core/base/result';
import { isSoundSessionId } from '../session-binding.ts';
import { converse } from './converse.ts';
import { type McpSessions, holderOf, isError, type MessageParts } from './parts.ts';

/** A link for each session, which ends with it. The id is ours, random, and worth nothing to another person. */
export function createOwnSessions(parts: MessageParts): McpSessions {
  const { random, open, kept } = parts;
  return {
    waits: true,

    async begin(carrier, spoken) {
      const id = randomId(random, 16);
      const opened = await kept.open(id, holderOf(carrier, parts), async () => {
        const conversation = await open(carrier, 'session');
        return conversation.ok ? ok({ conversation: conversation.value }) : conversation;
      });
      if (!opened.ok) return opened;
      return converse(parts, {
        carrier,
        spoken,
        conversation: opened.value.conversation,
        owner: id,
        waits: true,
        headers: { 'mcp-session-id': id },
        onSettled(text) {
          if (text === undefined || isError(text)) void kept.end(id);
        },
      });
    },

    async enter(sessionId, carrier) {
      if (!isSoundSessionId(sessionId)) return err('unknown_session');
      const found = await kept.find(sessionId, holderOf(carrier, parts));
      return found === undefined ? err('unknown_session') : ok(found.conversation);
    },

    end: (sessionId) => kept.end(sessionId),
  };
}
