/**
 * Asks Entra again, ahead of time, about everybody who is in: their tokens there are renewed while they work, and
 * whoever has left, or has lost a role, is out within `checkSeconds` and not only at the next refresh.
 *
 * Two ways lead to the same question. A background round renews sessions that are in use or have a stream open,
 * before their time is up; and a call of a session that nobody has asked about for too long waits for the answer.
 * While Entra cannot be reached the answer is the last known one: access tokens end by themselves within the hour.
 */
import { type Clock, isFromFuture, nowSeconds } from '@valetkey/core/base/clock';
import type { Logger } from 'pino';
import type { RepeatingTimer } from '../store/sweeper.ts';
import type { RecheckableSignIns } from './sign-ins.ts';

export interface LeaverCheck {
  /** For each call. @returns undefined when it is known; else whether the session goes on. */
  check(sessionId: string, issuedAtSeconds: number): Promise<boolean> | undefined;
  /** One background round, as the timer does it. */
  round(): Promise<void>;
  close(): Promise<void>;
}

export interface LeaverCheckOptions {
  readonly recheck: RecheckableSignIns['recheck'];
  /** Sessions with an open stream: in use although nothing is called. */
  readonly streaming: () => Iterable<string>;
  readonly checkSeconds: number;
  readonly clock: Clock;
  readonly timer: RepeatingTimer;
  readonly log: Pick<Logger, 'warn'>;
}

interface Known {
  /** The latest token that was seen of it. */
  issuedAtSeconds: number;
  /** When Entra last confirmed the session, as far as this replica knows. */
  confirmedAtSeconds: number;
  usedAtSeconds: number;
  /** Not asked before this: Entra did not answer a moment ago. */
  notBeforeSeconds: number;
  asking: Promise<boolean> | undefined;
}

/** Renewals at a time: a thousand sessions must not meet Entra's throttling all at once. */
const atOnce = 8;
const retrySeconds = 15;
const roundsPerCheck = 5;

export function startLeaverCheck(options: LeaverCheckOptions): LeaverCheck {
  const { recheck, clock, checkSeconds, log } = options;
  const sessions = new Map<string, Known>();
  const roundSeconds = Math.max(1, Math.floor(checkSeconds / roundsPerCheck));
  /** Due this early, a session that is asked about in the round after next is still in time. */
  const dueSeconds = Math.max(1, checkSeconds - 2 * roundSeconds);
  const state = { running: Promise.resolve(), isBusy: false, isStopped: false };

  function know(sessionId: string, atSeconds: number): Known {
    const known = sessions.get(sessionId);
    if (known !== undefined) return known;
    const fresh = {
      issuedAtSeconds: Number.NEGATIVE_INFINITY,
      confirmedAtSeconds: atSeconds,
      usedAtSeconds: atSeconds,
      notBeforeSeconds: 0,
      asking: undefined,
    };
    sessions.set(sessionId, fresh);
    return fresh;
  }

  function ask(sessionId: string, known: Known): Promise<boolean> {
    known.asking ??= answer(sessionId, known).finally(() => {
      known.asking = undefined;
    });
    return known.asking;
  }

  function isDue(known: Known, ageSeconds: number): boolean {
    const now = nowSeconds(clock);
    // The clock was set back since: how long ago it was, nobody knows, and no wait may last until it has caught up.
    const isUnknown = isFromFuture(known.confirmedAtSeconds, clock);
    const waitSeconds = known.notBeforeSeconds - now;
    if (waitSeconds > 0 && waitSeconds <= retrySeconds) return false;
    return isUnknown || now - known.confirmedAtSeconds >= ageSeconds;
  }

  async function answer(sessionId: string, known: Known): Promise<boolean> {
    const startedSeconds = nowSeconds(clock);
    try {
      const confirmed = await recheck(sessionId, dueSeconds);
      if (confirmed.ok) known.confirmedAtSeconds = confirmed.value;
      else if (confirmed.error === 'unavailable') known.notBeforeSeconds = startedSeconds + retrySeconds;
      else {
        sessions.delete(sessionId);
        return false;
      }
    } catch (fault) {
      log.warn({ reason: fault instanceof Error ? fault.name : 'unknown' }, 'a session could not be checked');
      known.notBeforeSeconds = startedSeconds + retrySeconds;
    }
    return true;
  }

  async function round(): Promise<void> {
    const now = nowSeconds(clock);
    for (const sessionId of options.streaming()) know(sessionId, now).usedAtSeconds = now;
    for (const [sessionId, known] of sessions)
      if (now - known.usedAtSeconds > checkSeconds) sessions.delete(sessionId);
    const due = [...sessions].filter(([, known]) => isDue(known, dueSeconds));
    const next = due.values();
    const work = async () => {
      for (const [sessionId, known] of next) {
        if (state.isStopped) return;
        await ask(sessionId, known);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
  }

  const stop =
    checkSeconds === 0
      ? () => {}
      : options.timer(() => {
          if (state.isBusy || state.isStopped) return;
          state.isBusy = true;
          state.running = round().finally(() => {
            state.isBusy = false;
          });
        }, roundSeconds * 1000);

  return {
    check(sessionId, issuedAtSeconds) {
      if (checkSeconds === 0) return undefined;
      const now = nowSeconds(clock);
      // A token is made only after Entra was asked. When that was, one from the future does not say.
      const isUnknown = isFromFuture(issuedAtSeconds, clock);
      const askedAtSeconds = isUnknown ? now - checkSeconds : Math.min(issuedAtSeconds, now);
      const known = know(sessionId, askedAtSeconds);
      known.usedAtSeconds = now;
      if (issuedAtSeconds > known.issuedAtSeconds) {
        known.issuedAtSeconds = issuedAtSeconds;
        known.confirmedAtSeconds = Math.max(known.confirmedAtSeconds, askedAtSeconds);
      }
      return isDue(known, checkSeconds) ? ask(sessionId, known) : undefined;
    },
    round,
    async close() {
      state.isStopped = true;
      stop();
      await state.running;
    },
  };
}
