import type { AuthenticationResult, PublicClientApplication } from '@azure/msal-node';

/** What a way of signing in is given. */
export interface PromptRequest {
  readonly scopes: readonly string[];
  /** A claims challenge, as JSON text. */
  readonly claims: string | undefined;
  /** Whom to expect. */
  readonly loginHint: string | undefined;
  /** Let the person choose among accounts, also when the browser knows only one. */
  readonly choosesAccount: boolean;
  readonly signal: AbortSignal;
}

/** Signs in through one way. @throws what MSAL throws, the signal's reason, or `NoSuchWay` */
export type Prompt = (
  client: PublicClientApplication,
  request: PromptRequest,
) => Promise<AuthenticationResult>;

/** This way does not exist here: the next one may. */
export class NoSuchWay extends Error {
  override readonly name = 'NoSuchWay';
}

/** A promise that loses against the signal. What the promise does afterwards is nobody's concern any more. */
export async function orAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal | undefined,
): Promise<Value> {
  if (signal === undefined) return promise;
  promise.catch(() => undefined);
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
