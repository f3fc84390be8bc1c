/** At most one prompt in this process, and everybody who needs it waits for that one (A5, D11). */
import { orAborted } from './methods/prompt.ts';
import { cancelled, SignInFailed } from './sign-in-failed.ts';
import type { DeviceCodePrompt } from './methods/device-code.ts';

/** A device code is open, and this call was asked not to wait but to say so. The prompt goes on. */
export class SignInPending extends Error {
  override readonly name = 'SignInPending';
  readonly prompt: DeviceCodePrompt;

  constructor(prompt: DeviceCodePrompt) {
    super(prompt.message);
    this.prompt = prompt;
  }
}

export interface JoinOptions {
  readonly signal: AbortSignal | undefined;
  /** Rather than wait behind a device code, reject with SignInPending. */
  readonly interruptsForDeviceCode: boolean;
}

export type Work<Value> = (
  signal: AbortSignal,
  announce: (prompt: DeviceCodePrompt) => void,
) => Promise<Value>;

export interface SharedPrompt<Value> {
  /**
   * Starts `work` unless one runs, and waits for the one that runs.
   *
   * @returns whose it was (`key`) and its value. @throws what it threw; a caller's own signal ends only its own wait.
   *   When nobody waits any more, the work is aborted, unless somebody was sent away to come back for it.
   */
  join(
    key: string,
    work: Work<Value>,
    options: JoinOptions,
  ): Promise<{ readonly key: string; readonly value: Value }>;
  /** Ends the running prompt. */
  cancel(): void;
}

interface Running<Value> {
  readonly key: string;
  readonly done: Promise<Value>;
  readonly announced: Promise<DeviceCodePrompt>;
  readonly abort: AbortController;
  waiting: number;
  /** Somebody was told of the code and will come again. */
  isExpected: boolean;
}

/** @param timeoutMs of one prompt, whoever waits. */
export function createSharedPrompt<Value>(timeoutMs: number): SharedPrompt<Value> {
  const state: { running?: Running<Value> | undefined } = {};

  function start(key: string, work: Work<Value>): Running<Value> {
    const abort = new AbortController();
    const { promise: announced, resolve: announce } = Promise.withResolvers<DeviceCodePrompt>();
    const timer = setTimeout(
      () => end(running, new SignInFailed('timed-out', 'Nobody signed in in time')),
      timeoutMs,
    );
    // Whatever the work is busy with when it ends: nobody waits for that.
    const done = orAborted(work(abort.signal, announce), abort.signal).finally(() => {
      clearTimeout(timer);
      leave(running);
    });
    done.catch(() => undefined);
    const running: Running<Value> = { key, done, announced, abort, waiting: 0, isExpected: false };
    state.running = running;
    return running;
  }

  function leave(running: Running<Value>): void {
    if (state.running === running) state.running = undefined;
  }

  /** At once no longer the running one: a call that comes now must not join what ends. */
  function end(running: Running<Value>, reason: SignInFailed): void {
    leave(running);
    running.abort.abort(reason);
  }

  return {
    cancel() {
      if (state.running !== undefined) end(state.running, cancelled());
    },
    async join(key, work, { signal, interruptsForDeviceCode }) {
      const running = state.running ?? start(key, work);
      running.waiting += 1;
      try {
        const wanted = interruptsForDeviceCode
          ? Promise.race([running.done, sendAway(running)])
          : running.done;
        return { key: running.key, value: await orAborted(wanted, signal) };
      } finally {
        running.waiting -= 1;
        if (running.waiting === 0 && !running.isExpected) end(running, cancelled());
      }
    },
  };
}

async function sendAway(running: Running<unknown>): Promise<never> {
  const prompt = await running.announced;
  running.isExpected = true;
  throw new SignInPending(prompt);
}
