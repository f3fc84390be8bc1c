/**
 * The answers that are on their way right now, by session: an event stream can stay open for hours, and must not
 * outlive the right to it.
 */
import { type Clock, nowSeconds } from '@valetkey/core/base/clock';
import { createRoll, type Roll } from '@valetkey/core/base/roll';
import type { Operation } from '@valetkey/core/mcp/operation';
import type { Principal } from '@valetkey/core/policy/principal';
import { rightsOf } from '../session/revocations.ts';

export type CutReason =
  | 'session_ended'
  /** the person's roles or groups, or the rules about them */
  | 'rights_changed'
  /** of a stream by setting, of what has not gone out yet in any case */
  | 'token_expired'
  /** the configuration has the backend no longer */
  | 'not_served';

export interface OpenStream {
  /** As the access token said when the stream was opened. */
  readonly principal: Principal;
  /** The resource it was opened at. */
  readonly resource: string;
  readonly expiresAtSeconds: number;
  /** What it was opened for, where it lasts: as long as that is allowed. Default: nothing in particular. */
  readonly lasting?: readonly Operation[];
  /** Breaks the connection: half an answer must not look like a whole one. */
  readonly cut: (reason: CutReason) => void;
}

interface Noted {
  readonly stream: OpenStream;
  close: () => void;
}

export interface OpenStreams {
  /** @returns call it when the answer has ended. */
  open(stream: OpenStream): () => void;
  /** @param rights cut only those that were opened with others; undefined: cut all. @returns how many. */
  cutSession(sessionId: string, rights?: string): number;
  /** Cuts those whose access token has expired. @returns how many. */
  cutExpired(): number;
  /** Cuts those for which there is a reason. @returns how many. */
  cutWhere(reasonFor: (stream: OpenStream) => CutReason | undefined): number;
  /** Sessions that have one open. */
  sessionIds(): Iterable<string>;
}

/** An entry of a session that has none open any more costs little, and most sessions come again. */
const prunedAtLeast = 1024;

export function createOpenStreams(clock: Clock): OpenStreams {
  const bySession = new Map<string, Roll<Noted>>();
  let pruneAt = prunedAtLeast;

  function rollOf(sessionId: string): Roll<Noted> {
    const known = bySession.get(sessionId);
    if (known !== undefined) return known;
    if (bySession.size >= pruneAt) prune();
    const roll = createRoll<Noted>();
    bySession.set(sessionId, roll);
    return roll;
  }

  function prune(): void {
    for (const [sessionId, roll] of bySession) if (roll.isEmpty) bySession.delete(sessionId);
    pruneAt = Math.max(prunedAtLeast, 2 * bySession.size);
  }

  function cutWhere(
    candidates: Iterable<Noted>,
    reasonFor: (stream: OpenStream) => CutReason | undefined,
  ): number {
    let count = 0;
    for (const { stream, close } of candidates) {
      const reason = reasonFor(stream);
      if (reason === undefined) continue;
      close();
      stream.cut(reason);
      count += 1;
    }
    return count;
  }

  const all = () => [...bySession.values()].flatMap((own) => [...own]);

  return {
    open(stream) {
      const noted: Noted = { stream, close: () => {} };
      noted.close = rollOf(stream.principal.sessionId).add(noted);
      return noted.close;
    },
    cutSession(sessionId, rights) {
      return cutWhere(bySession.get(sessionId) ?? [], ({ principal }) => {
        if (rights === undefined) return 'session_ended';
        return rightsOf(principal) === rights ? undefined : 'rights_changed';
      });
    },
    cutExpired() {
      const now = nowSeconds(clock);
      return cutWhere(all(), ({ expiresAtSeconds }) =>
        expiresAtSeconds <= now ? 'token_expired' : undefined,
      );
    },
    cutWhere: (reasonFor) => cutWhere(all(), reasonFor),
    sessionIds: () => [...bySession].flatMap(([sessionId, own]) => (own.isEmpty ? [] : [sessionId])),
  };
}
