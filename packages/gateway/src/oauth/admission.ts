/**
 * So many at a time, the others in line. After an outage everybody comes at once; begun together, each would take so long
 * that none ends in time, all are told to come again, and it goes on like this when the cause is long over. In line, those
 * who are in come to an end.
 */
export interface Admission {
  /** Runs the work when its turn has come. @returns undefined when that was not in time: nothing was begun. */
  admit<Value>(work: () => Promise<Value>): Promise<Value | undefined>;
}

export interface AdmissionOptions {
  readonly atOnce: number;
  /** Longest time in line. */
  readonly patienceMs: number;
}

export function createAdmission({ atOnce, patienceMs }: AdmissionOptions): Admission {
  const line = new Set<() => void>();
  const state = { inside: 0 };

  /** @returns whether it is in. */
  function enter(): Promise<boolean> {
    if (state.inside < atOnce) {
      state.inside += 1;
      return Promise.resolve(true);
    }
    return new Promise((settle) => {
      const giveUp = setTimeout(() => {
        line.delete(next);
        settle(false);
      }, patienceMs);
      const next = () => {
        clearTimeout(giveUp);
        settle(true);
      };
      line.add(next);
    });
  }

  /** The place goes to the next one in line, whoever came meanwhile. */
  function leave(): void {
    const [next] = line;
    if (next === undefined) {
      state.inside -= 1;
      return;
    }
    line.delete(next);
    next();
  }

  return {
    async admit(work) {
      if (!(await enter())) return undefined;
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
