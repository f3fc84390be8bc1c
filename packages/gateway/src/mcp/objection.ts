import type { Judged, Refusal } from '../enforce/refusal.ts';
import type { CutReason } from '../proxy/open-streams.ts';
import type { CallRecord } from './call-record.ts';
import type { HeldRight } from './held-right.ts';

/** What stands against a request: the right to it has ended (`lapse` says why), or the rules in effect deny it. */
export type Objection =
  | { readonly lapse: CutReason; readonly refusal: Extract<Refusal, { kind: 'bad_token' }> }
  | { readonly lapse?: undefined; readonly refusal: Extract<Refusal, { kind: 'denied' }> };

/** Asked when a request has been judged, and again when it had to wait before it could go out. */
export function findObjection(
  right: HeldRight,
  judged: readonly Judged[],
  isBatch: boolean,
): Objection | undefined {
  const lapse = right.lost();
  if (lapse !== undefined) return { lapse, refusal: { kind: 'bad_token' } };
  if (judged.every(({ decision }) => decision.allow)) return undefined;
  return { refusal: { kind: 'denied', judged, isBatch } };
}

export function recordObjection(call: CallRecord, { lapse, refusal }: Objection, httpStatus: number): void {
  if (lapse !== undefined) call.lapsed(lapse, httpStatus);
  else call.denied(refusal.judged, httpStatus);
}
