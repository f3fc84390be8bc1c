import type { Eventually } from '@valetkey/core/base/eventually';
import type { Operation } from '@valetkey/core/mcp/operation';
import type { Policy } from '@valetkey/core/policy/decide';
import type { Principal } from '@valetkey/core/policy/principal';
import type { Judged } from './refusal.ts';
import type { ToolAnnotations } from './tool-annotations.ts';

/**
 * What policy says of every message of a request, each by itself. Where a rule goes by what the backend says of a tool,
 * and nobody here has heard it, other replicas are asked before it counts as unknown.
 */
export function judgeOperations(
  policy: Policy,
  annotations: ToolAnnotations,
  principal: Principal,
  operations: readonly Operation[],
): Eventually<readonly Judged[]> {
  const isUnheard = (operation: Operation) =>
    policy.asksForAnnotation(operation) && annotations.isReadOnly(operation.name ?? '') === undefined;
  const judge = () =>
    operations.map((operation) => ({
      operation,
      decision: policy.decide(principal, operation, annotations),
    }));
  return policy.usesAnnotations && operations.some(isUnheard) ? annotations.look().then(judge) : judge();
}
