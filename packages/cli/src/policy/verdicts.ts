/** What a policy says, for people and for programs. */
import type { Decision, Policy, RuleName, RuleVerdict } from '@valetkey/core/policy/decide';
import type { Operation } from '@valetkey/core/mcp/operation';
import type { Principal } from '@valetkey/core/policy/principal';

/** One line of an explanation. */
export interface Verdict {
  /** `enter`, `tool delete_*`, `any other prompt`. */
  readonly rule: string;
  readonly decision: Decision;
  /** Where the rule goes by what the server says of a tool: the decision about one that only reads. */
  readonly ifReadOnly?: Decision;
}

/** Every rule, as it stands. */
export function explainRules(policy: Policy, principal: Principal): Verdict[] {
  return policy.explain(principal).map(({ decision, ifReadOnly, ...rule }: RuleVerdict) => ({
    rule: titleOf(rule),
    decision,
    ...(ifReadOnly === undefined ? {} : { ifReadOnly }),
  }));
}

/** One operation, with the rule that decides about it. */
export function explainOperation(policy: Policy, principal: Principal, operation: Operation): Verdict {
  const isReadOnly = (said: boolean) => ({ isReadOnly: () => said });
  const decide = (said: boolean) => policy.decide(principal, operation, isReadOnly(said));
  const rules = policy.findRules(operation).map(titleOf);
  return {
    rule: rules.join(', ') || 'none',
    decision: decide(false),
    ...(policy.asksForAnnotation(operation) ? { ifReadOnly: decide(true) } : {}),
  };
}

function titleOf({ kind, key }: RuleName): string {
  if (kind === 'enter') return kind;
  return key === undefined ? `any other ${kind}` : `${kind} ${key}`;
}

/** rule, decision, why */
export function describeVerdict({ rule, decision, ifReadOnly }: Verdict): string[] {
  const dependsOnTool = ifReadOnly?.allow === true && !decision.allow;
  const word = decision.allow ? 'allowed' : dependsOnTool ? 'reading only' : 'denied';
  return [rule, word, decision.allow ? '' : decision.description];
}

/** For `--json`. */
export function plainVerdict({ rule, decision, ifReadOnly }: Verdict): Record<string, unknown> {
  return { rule, ...decision, ...(ifReadOnly === undefined ? {} : { ifReadOnly }) };
}
