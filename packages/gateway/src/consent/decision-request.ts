import type { IncomingHttpHeaders } from 'node:http';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { type Form, findField } from '../http/body.ts';
import { checkCsrfToken } from './csrf.ts';

export interface Decision {
  readonly decision: 'allow' | 'deny';
  readonly remember: boolean;
}

export type ConsentRefusal =
  | 'wrong-method'
  | 'origin-missing'
  | 'origin-foreign'
  | 'site-foreign'
  | 'referer-foreign'
  | 'browser-unknown'
  | 'csrf-missing'
  | 'csrf-wrong'
  | 'decision-missing';

/** 403 for whatever may be an attack; the rest are broken requests. Exhaustive, so that a new reason needs a status. */
export const refusalStatus: Readonly<Record<ConsentRefusal, 400 | 403 | 405>> = {
  'wrong-method': 405,
  'origin-missing': 403,
  'origin-foreign': 403,
  'site-foreign': 403,
  'referer-foreign': 403,
  'browser-unknown': 403,
  'csrf-missing': 403,
  'csrf-wrong': 403,
  'decision-missing': 400,
};

export interface DecisionRequest {
  readonly method: string;
  readonly headers: Pick<IncomingHttpHeaders, 'origin' | 'referer' | 'sec-fetch-site'>;
  readonly publicUrl: string;
  readonly form: Form;
  /** Value of the browser cookie that was set with the page; undefined when none came. */
  readonly browserId: string | undefined;
  readonly csrfKey: Uint8Array;
  /** From the path, not from the form. */
  readonly interactionId: string;
}

/**
 * Judges whether the person at this browser pressed Allow or Deny on our page, and not another site for them.
 *
 * Three independent signs must agree: the browser says that the page is ours (`Origin`, and `Sec-Fetch-Site` where
 * it is sent), the cookie says that it is the same browser, and the token ties both to this very question. Every
 * current browser sends `Origin` with a POST, so its absence is no excuse; `null` is what sandboxed frames send.
 */
export function checkDecisionRequest(request: DecisionRequest): Result<Decision, ConsentRefusal> {
  if (request.method !== 'POST') return err('wrong-method');
  const foreign = checkSource(request.headers, new URL(request.publicUrl).origin);
  if (foreign !== undefined) return err(foreign);

  const { browserId, form } = request;
  if (browserId === undefined || browserId === '') return err('browser-unknown');
  // A field that is there twice counts as absent.
  const token = findField(form, 'csrf');
  if (token === undefined || token === '') return err('csrf-missing');
  if (!checkCsrfToken(request.csrfKey, browserId, request.interactionId, token)) return err('csrf-wrong');

  const decision = findField(form, 'decision');
  if (decision !== 'allow' && decision !== 'deny') return err('decision-missing');
  return ok({ decision, remember: findField(form, 'remember') === 'yes' });
}

function checkSource(headers: DecisionRequest['headers'], own: string): ConsentRefusal | undefined {
  const { origin, referer, 'sec-fetch-site': site } = headers;
  if (origin === undefined) return 'origin-missing';
  if (origin !== own) return 'origin-foreign';
  if (site !== undefined && site !== 'same-origin') return 'site-foreign';
  if (referer !== undefined && URL.parse(referer)?.origin !== own) return 'referer-foreign';
  return undefined;
}
