/**
 * Whose a session of the older protocol is. Its id is no secret: it stands in every request, and in logs on the way. Who
 * learns one must not open its event stream, answer its questions or end it (D61; MCP Security Best Practices, session
 * hijacking). Sessions live in this process, and so does what is known of them.
 */
import type { ServerResponse } from 'node:http';
import type { Exchange } from '@valetkey/gateway/http/exchange';
import type { Principal } from '@valetkey/core/policy/principal';

export interface SessionOwners {
  /** Whether the request names no session of somebody else. One that nobody here knows its handler refuses by itself. */
  mayEnter(exchange: Exchange, principal: Principal): boolean;
  /** Notes whose session the answer begins, as soon as its head is out. */
  watch(res: ServerResponse, principal: Principal): void;
}

const header = 'mcp-session-id';
/** Who opens more loses their own first ones, never those of others. */
const maxPerSpeaker = 100;

export function createSessionOwners(): SessionOwners {
  const speakers = new Map<string, string>();
  const sessionsOf = new Map<string, Set<string>>();

  function note(sessionId: string, speaker: string): void {
    if (speakers.has(sessionId)) return;
    speakers.set(sessionId, speaker);
    const own = sessionsOf.get(speaker) ?? new Set();
    sessionsOf.set(speaker, own.add(sessionId));
    const [oldest] = own.size > maxPerSpeaker ? own : [];
    if (oldest === undefined) return;
    own.delete(oldest);
    speakers.delete(oldest);
  }

  return {
    mayEnter({ req }, principal) {
      const named = req.headersDistinct[header] ?? [];
      const isTheirs = (id: string) => (speakers.get(id) ?? speakerOf(principal)) === speakerOf(principal);
      return named.length <= 1 && named.every(isTheirs);
    },
    watch(res, principal) {
      const writeHead: (...head: never[]) => ServerResponse = res.writeHead.bind(res);
      res.writeHead = (...head: never[]) => {
        const written = writeHead(...head);
        const begun = res.getHeader(header);
        if (typeof begun === 'string') note(begun, speakerOf(principal));
        return written;
      };
    },
  };
}

/** A person through one client. */
export function speakerOf({ tenantId, objectId, clientId }: Principal): string {
  return JSON.stringify([tenantId, objectId, clientId]);
}
