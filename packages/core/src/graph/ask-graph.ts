import type { Result } from '../base/result.ts';
import type { GraphCaller } from './graph-client.ts';
import type { GraphRefusal } from './graph-refusal.ts';

/** Graph did not answer as hoped. The message is in our words. */
export class GraphFailed extends Error {
  override readonly name = 'GraphFailed';
  readonly refusal: GraphRefusal;
  readonly isRetryable: boolean;

  constructor(refusal: GraphRefusal) {
    super(refusal.code === undefined ? refusal.description : `${refusal.description} (${refusal.code})`);
    this.refusal = refusal;
    this.isRetryable = refusal.isRetryable;
  }
}

/** Why another token is wanted: one with these claims, or any but the one that Graph did not take. */
export type TokenDemand<Token> =
  | { readonly kind: 'claims'; readonly claims: string | undefined }
  | { readonly kind: 'token'; readonly rejected: Token };

/**
 * Asks Graph with a token of the person. A claims challenge, and a token that Graph no longer takes, are each answered
 * once with another token (D10); where Entra first wants the person, `getToken` throws.
 *
 * @throws GraphFailed, and what `getToken` throws.
 */
export async function askGraph<Token extends GraphCaller, Value>(
  getToken: (demand?: TokenDemand<Token>) => Promise<Token>,
  ask: (caller: Token) => Promise<Result<Value, GraphRefusal>>,
): Promise<Value> {
  const token = await getToken();
  const first = await ask(token);
  if (first.ok) return first.value;
  const { kind, claims } = first.error;
  if (kind !== 'claims' && kind !== 'token') throw new GraphFailed(first.error);
  const second = await ask(await getToken(kind === 'claims' ? { kind, claims } : { kind, rejected: token }));
  if (second.ok) return second.value;
  throw new GraphFailed(second.error);
}
