import { parseClaimsChallenge } from '../entra/claims-challenge.ts';

/** Everything that Graph, or the way to it, can say instead of an answer. */
export interface GraphRefusal {
  /**
   * `claims`: Graph wants another token, made for `claims` (continuous access evaluation, Conditional Access).
   * `token`: it does not take this one. `denied`: a permission is missing. `throttled`, `unavailable`: later.
   * `request`: the request is wrong. `unreadable`: the answer is. `host`: no Graph host, nothing was sent.
   * `cancelled`: the caller gave up.
   */
  readonly kind:
    | 'claims'
    | 'token'
    | 'denied'
    | 'not-found'
    | 'throttled'
    | 'unavailable'
    | 'request'
    | 'unreadable'
    | 'host'
    | 'cancelled';
  /** The same request may succeed later (A26). */
  readonly isRetryable: boolean;
  /** For people; in our words, so it holds nothing that Graph quoted. */
  readonly description: string;
  readonly status?: number;
  /** Graph's own: `Authorization_RequestDenied`. */
  readonly code?: string;
  /** Finds the request at Microsoft's support. */
  readonly requestId?: string;
  readonly retryAfterSeconds?: number;
  /** JSON text, to be given to the next sign-in. */
  readonly claims?: string;
}

interface Refused {
  readonly status: number;
  readonly text: string;
  readonly challenge?: string | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** An answer that is no success, as a refusal. */
export function refusalOf(answer: Refused): GraphRefusal {
  const { status, retryAfterSeconds } = answer;
  const claims = status === 401 ? parseClaimsChallenge(answer.challenge) : undefined;
  const code = parseCode(answer.text);
  const requestId = /^[\w-]{1,64}$/.test(answer.requestId ?? '') ? answer.requestId : undefined;
  const kind = claims === undefined ? kindOf(status) : 'claims';
  return {
    ...of(kind),
    status,
    ...(code === undefined ? {} : { code }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(claims === undefined ? {} : { claims }),
  };
}

export const unanswered = (): GraphRefusal => of('unavailable');
export const interrupted = (): GraphRefusal => of('cancelled');
export const refuseHost = (): GraphRefusal => of('host');
export const unreadable = (status: number): GraphRefusal => ({ ...of('unreadable'), status });

const sentences: Readonly<Record<GraphRefusal['kind'], string>> = {
  claims: 'Microsoft Graph asks for a new sign-in',
  token: 'Microsoft Graph does not accept the token',
  denied: 'Microsoft Graph refuses: a permission is missing',
  'not-found': 'Microsoft Graph knows no such thing',
  throttled: 'Microsoft Graph gets too many requests: try again later',
  unavailable: 'Microsoft Graph is not available: try again later',
  request: 'Microsoft Graph does not accept the request',
  unreadable: 'the answer of Microsoft Graph cannot be read',
  host: 'the address is no Microsoft Graph host: nothing was sent',
  cancelled: 'the request to Microsoft Graph was cancelled',
};

function of(kind: GraphRefusal['kind']): GraphRefusal {
  return {
    kind,
    isRetryable: kind === 'throttled' || kind === 'unavailable',
    description: sentences[kind],
  };
}

/** 500 and 502 are not repeated by Microsoft's own client either, yet later is the only remedy there is. */
function kindOf(status: number): GraphRefusal['kind'] {
  if (status === 401) return 'token';
  if (status === 403) return 'denied';
  if (status === 404) return 'not-found';
  if (status === 429) return 'throttled';
  if (status >= 500) return 'unavailable';
  return status >= 400 ? 'request' : 'unreadable';
}

function parseCode(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    const error: unknown = isObject(body) ? body['error'] : undefined;
    const code = isObject(error) ? error['code'] : undefined;
    return typeof code === 'string' && /^[\w.]{1,80}$/.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
