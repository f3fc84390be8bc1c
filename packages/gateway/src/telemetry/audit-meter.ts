/** Sign-ins and tokens, counted from their audit records: what is recorded and what is counted cannot differ. */
import type { AuditEventName } from '../audit/event.ts';
import type { AuditRecord } from '../audit/sink.ts';
import type { Instruments } from './instruments.ts';
import { createClientLabel, createReasonLabel } from './labels.ts';

/** A sign-in in the order of its steps; `valetkey funnel` reads the same ones from the records. */
const steps: Partial<Record<AuditEventName, string>> = {
  'client.register': 'register',
  authorize: 'authorize',
  'consent.allow': 'consent',
  'consent.deny': 'consent',
  'entra.redirect': 'entra_redirect',
  callback: 'callback',
  token: 'token',
};

const maxAwaited = 10_000;

export function createAuditMeter(
  { signIn, tokens }: Pick<Instruments, 'signIn' | 'tokens'>,
  configuredClients: ReadonlySet<string>,
): (record: AuditRecord) => void {
  const clientLabel = createClientLabel(configuredClients);
  const reasonLabel = createReasonLabel();
  /** Sessions that this process gave tokens to and that have not called a tool yet. */
  const awaited = new Set<string>();

  function labelsOf({ outcome, reason, clientId }: AuditRecord) {
    return {
      'valetkey.outcome': outcome,
      ...(reason === undefined ? {} : { 'valetkey.reason': reasonLabel(reason) }),
      ...(clientId === undefined ? {} : { 'valetkey.client': clientLabel(clientId) }),
    };
  }

  function countFirstCall(record: AuditRecord): void {
    const { sessionId, outcome, method } = record;
    if (outcome !== 'success' || method !== 'tools/call' || sessionId === undefined) return;
    if (awaited.delete(sessionId)) signIn.add(1, { ...labelsOf(record), 'valetkey.step': 'first_call' });
  }

  function awaitFirstCall(sessionId: string): void {
    awaited.add(sessionId);
    for (const oldest of awaited) {
      if (awaited.size <= maxAwaited) break;
      awaited.delete(oldest);
    }
  }

  return (record) => {
    if (record.event === 'mcp.call') return countFirstCall(record);
    const step = steps[record.event];
    if (step !== undefined) signIn.add(1, { ...labelsOf(record), 'valetkey.step': step });
    if (record.event !== 'token' && record.event !== 'token.refresh') return;
    tokens.add(1, {
      ...labelsOf(record),
      'oauth.grant_type': record.event === 'token' ? 'authorization_code' : 'refresh_token',
    });
    if (record.event === 'token' && record.outcome === 'success' && record.sessionId !== undefined)
      awaitFirstCall(record.sessionId);
  };
}
