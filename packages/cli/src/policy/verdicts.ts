/** What a policy says, for people and for programs. */
import type { Decision, KnownTools, Policy, RuleName, RuleVerdict } from '@valetkey/core/policy/decide';
import type { Operation } from '@valetkey/core/mcp/operation';
import type { Principal } from '@valetkey/core/policy/principal';

/** One line of an explanation. */
export interface Verdict {
  /** `enter`, `tool delete_*`, `any other prompt`. */
  readonly rule: string;
  readonly decision: Decision;
  /** Where the rule goes by what the server says of a tool, and that is not known: the decision about one that only reads. */
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

/**
 * One operation, with the rule that decides about it.
 *
 * @param known what the gateways have heard of the tools; undefined: nobody looked.
 */
export function explainOperation(
  policy: Policy,
  principal: Principal,
  operation: Operation,
  known: KnownTools | undefined,
): Verdict {
  const rule = policy.findRules(operation).map(titleOf).join(', ') || 'none';
  const decide = (tools: KnownTools) => policy.decide(principal, operation, tools);
  if (known !== undefined) return { rule, decision: decide(known) };
  return {
    rule,
    decision: decide({ isReadOnly: () => 'unasked' }),
    ...(policy.asksForAnnotation(operation) ? { ifReadOnly: decide({ isReadOnly: () => true }) } : {}),
  };
}

function titleOf({ kind, key }: RuleName): string {
  if (kind === 'enter') return kind;
  return key === undefined ? `any other ${kind}` : `${kind} ${key}`;
}

/** rule, decision, why */
export function describeVerdict({ rule, decision, ifReadOnly }: Verdict): string[] {
  const dependsOnTool = ifReadOnly?.allow === true && !decision.allow;
  const word = decision.allow ? 'allowed' : dependsOnTool ? 'if it only reads' : 'denied';
  return [rule, word, decision.allow ? '' : decision.description];
}

/** For `--json`. */
export function plainVerdict({ rule, decision, ifReadOnly }: Verdict): Record<string, unknown> {
  return { rule, ...decision, ...(ifReadOnly === undefined ? {} : { ifReadOnly }) };
}
