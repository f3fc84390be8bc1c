/** What Graph remembers between requests: who has spent how much, and where a client's change tracking stands. Bounded. */
import { randomBytes } from 'node:crypto';

/** So many requests per app and tenant in a window; then 429 until the window ends. */
export interface GraphBudget {
  readonly requests: number;
  readonly windowSeconds: number;
}

/** One round of change tracking: what is still to be told, and what will have been told when it is over. */
export interface DeltaRound {
  readonly tenantId: string;
  readonly select: readonly string[] | undefined;
  readonly ids: readonly string[] | undefined;
  readonly pending: readonly Record<string, unknown>[];
  readonly told: ReadonlyMap<string, string>;
  readonly pageSize: number;
}

export interface GraphState {
  /** Counts one request. @returns seconds to wait when the budget is spent */
  spend(key: string, budget: GraphBudget | undefined, nowMs: number): number | undefined;
  keepRound(round: DeltaRound): string;
  findRound(token: string): DeltaRound | undefined;
  clear(): void;
}

const MAX_ROUNDS = 200;
const MAX_SPENDERS = 1_000;

export function createGraphState(): GraphState {
  const spent = new Map<string, { requests: number; endsAtMs: number }>();
  const rounds = new Map<string, DeltaRound>();
  return {
    spend(key, budget, nowMs) {
      if (budget === undefined) return undefined;
      const known = spent.get(key);
      const window =
        known !== undefined && known.endsAtMs > nowMs
          ? known
          : { requests: 0, endsAtMs: nowMs + budget.windowSeconds * 1000 };
      window.requests += 1;
      spent.delete(key);
      keep(spent, key, window, MAX_SPENDERS);
      const isOver = window.requests > budget.requests;
      return isOver ? Math.max(1, Math.ceil((window.endsAtMs - nowMs) / 1000)) : undefined;
    },
    keepRound(round) {
      const token = randomBytes(32).toString('base64url');
      keep(rounds, token, round, MAX_ROUNDS);
      return token;
    },
    findRound: (token) => rounds.get(token),
    clear() {
      spent.clear();
      rounds.clear();
    },
  };
}

function keep<T>(records: Map<string, T>, key: string, record: T, limit: number): void {
  const oldest = records.size >= limit ? records.keys().next().value : undefined;
  if (oldest !== undefined) records.delete(oldest);
  records.set(key, record);
}
