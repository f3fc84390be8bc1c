/**
 * How far sign-ins come, read from the audit records: nothing else is kept for it. Records are joined by `signInId`,
 * so each sign-in counts once, on whichever replica its steps were taken.
 */
import type { AuditRecord } from './sink.ts';

/** In the order of a sign-in. Whoever took a step took those before it. */
export const funnelSteps = ['began', 'consented', 'returned', 'signedIn', 'gotTokens', 'calledTool'] as const;
export type FunnelStep = (typeof funnelSteps)[number];

export type StepCounts = Readonly<Record<FunnelStep, number>>;

export interface FunnelRow {
  /** What the client calls itself, the host of its document, or its id where the operator gave it one. */
  readonly client: string;
  readonly counts: StepCounts;
}

/** Where a sign-in ended that got no tokens, and why as far as it was recorded. */
export interface Stop {
  readonly after: Exclude<FunnelStep, 'gotTokens' | 'calledTool'>;
  /** Of the last record: `AADSTS50105`, `missing_role`; undefined: nothing came any more. */
  readonly reason: string | undefined;
  readonly count: number;
}

export interface FunnelReport {
  readonly total: StepCounts;
  /** The client with the most sign-ins first. */
  readonly clients: readonly FunnelRow[];
  /** The most frequent first. */
  readonly stops: readonly Stop[];
}

export interface Funnel {
  add(record: Partial<AuditRecord>): void;
  report(): FunnelReport;
}

interface SignIn {
  client: string;
  reached: number;
  /** Why it went no further, if that was recorded after the last step. */
  reason: string | undefined;
}

/** @param sinceMs only sign-ins that began then or later; whatever their records came after. */
export function createFunnel(sinceMs: number): Funnel {
  const signIns = new Map<string, SignIn>();
  const names = new Map<string, string>();

  function begin(signInId: string, { time = '', clientId = '' }: Partial<AuditRecord>): void {
    if (!(Date.parse(time) >= sinceMs) || signIns.has(signInId)) return;
    signIns.set(signInId, { client: clientId, reached: 0, reason: undefined });
  }

  return {
    add(record) {
      const { event, clientId, clientName, signInId } = record;
      if (event === 'client.register' && clientId !== undefined && clientName !== undefined)
        names.set(clientId, clientName);
      if (signInId === undefined) return;
      if (event === 'authorize' && record.reason === 'sign_in_needed') begin(signInId, record);
      const signIn = signIns.get(signInId);
      if (signIn !== undefined) follow(signIn, record);
    },
    report: () => reportOf([...signIns.values()], (client) => names.get(client) ?? nameOf(client)),
  };
}

function follow(signIn: SignIn, record: Partial<AuditRecord>): void {
  const step = stepOf(record);
  const reached = step === undefined ? signIn.reached : funnelSteps.indexOf(step);
  if (reached > signIn.reached) {
    signIn.reached = reached;
    signIn.reason = undefined;
  }
  const isDenial = record.event === 'consent.deny' && record.outcome === 'success';
  if (isDenial) signIn.reason = 'denied_by_person';
  else if (record.outcome !== 'success' && record.event !== 'mcp.call' && record.event !== 'access.denied')
    signIn.reason = record.reason ?? 'unknown';
}

function stepOf({ event, outcome, method }: Partial<AuditRecord>): FunnelStep | undefined {
  const isSuccess = outcome === 'success';
  if (event === 'consent.allow' || event === 'entra.redirect') return 'consented';
  if (event === 'callback') return isSuccess ? 'signedIn' : 'returned';
  if (event === 'token' && isSuccess) return 'gotTokens';
  return event === 'mcp.call' && isSuccess && method === 'tools/call' ? 'calledTool' : undefined;
}

/** A client that registered itself before the records begin has no name here, and an id of its own each time. */
function nameOf(clientId: string): string {
  if (clientId.startsWith('c-')) return '(registered earlier)';
  return URL.parse(clientId)?.host || clientId || '(unknown)';
}

function reportOf(signIns: readonly SignIn[], nameOfClient: (clientId: string) => string): FunnelReport {
  const byClient = Map.groupBy(signIns, ({ client }) => nameOfClient(client));
  const clients = [...byClient].map(([client, own]) => ({ client, counts: countSteps(own) }));
  const ended = signIns.filter(({ reached }) => reached < funnelSteps.indexOf('gotTokens'));
  const byStop = Map.groupBy(ended, ({ reached, reason }) => `${reached} ${reason ?? ''}`);
  const stops = [...byStop.values()].map((own) => {
    const { reached = 0, reason } = own[0] ?? {};
    return { after: funnelSteps[reached] as Stop['after'], reason, count: own.length };
  });
  return {
    total: countSteps(signIns),
    clients: clients.toSorted((one, other) => other.counts.began - one.counts.began),
    stops: stops.toSorted((one, other) => other.count - one.count),
  };
}

function countSteps(signIns: readonly SignIn[]): StepCounts {
  const counts = funnelSteps.map(
    (step, index) => [step, signIns.filter(({ reached }) => reached >= index).length] as const,
  );
  return Object.fromEntries(counts) as StepCounts;
}
