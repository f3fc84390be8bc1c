/** From the rules as written to the rules as asked; and what is wrong between them. */
import { listAmbiguities } from '@valetkey/core/policy/rule-table';
import type { BackendRules, Requirement, ToolRequirement } from '@valetkey/core/policy/rules';
import { findLikelyWord } from './did-you-mean.ts';
import { type ConfigFault, describePath } from './fault.ts';
import type { RequirementFile, RulesFile } from './rules-schema.ts';
import type { Sound } from './sound-parts.ts';

export function buildRules(file: RulesFile): BackendRules {
  const { enter, tools, prompts, resources, otherTools, otherPrompts, otherResources } = file;
  return {
    enter: withoutGaps(enter),
    tools: mapRules(tools, buildToolRequirement),
    prompts: mapRules(prompts, withoutGaps),
    resources: mapRules(resources, withoutGaps),
    otherTools,
    otherPrompts,
    otherResources,
  };
}

/** Without a prototype: a tool called `constructor` must not find a rule that nobody wrote. */
function mapRules<From, To>(rules: Readonly<Record<string, From>>, build: (rule: From) => To) {
  const built = Object.entries(rules).map(([name, rule]) => [name, build(rule)] as const);
  return Object.assign(Object.create(null), Object.fromEntries(built)) as Record<string, To>;
}

function buildToolRequirement({ readOnlyUnless, ...rest }: RulesFile['tools'][string]): ToolRequirement {
  return {
    ...withoutGaps(rest),
    ...(readOnlyUnless === undefined ? {} : { readOnlyUnless: withoutGaps(readOnlyUnless) }),
  };
}

function withoutGaps(requirement: RequirementFile): Requirement {
  return Object.fromEntries(Object.entries(requirement).filter(([, part]) => part !== undefined));
}

export interface KnownNames {
  /** Undefined: any scope can be had. */
  readonly scopes?: readonly string[] | undefined;
  /** Tenants that may sign in; undefined: not known here. */
  readonly tenants?: readonly string[] | undefined;
}

type Path = readonly PropertyKey[];

/** @param at where the rules stand in the file. */
export function listRuleFaults(file: Sound<RulesFile>, at: Path, known: KnownNames): ConfigFault[] {
  return [
    ...listWritten(file).flatMap(([requirement, path]) => [
      ...checkScopes(requirement, [...at, ...path], known.scopes),
      ...checkTenants(requirement, [...at, ...path], known.tenants),
    ]),
    ...(['tools', 'prompts', 'resources'] as const).flatMap((kind) =>
      checkAmbiguity(Object.keys(file[kind] ?? {}), [...at, kind]),
    ),
  ];
}

type SoundRequirement = Sound<RequirementFile>;
type Written = readonly [SoundRequirement | undefined, Path];

/** Every requirement, and where it stands. */
function listWritten({ enter, tools = {}, prompts = {}, resources = {} }: Sound<RulesFile>) {
  const written: Written[] = [
    [enter, ['enter']],
    ...Object.entries(tools).flatMap(([name, rule]): Written[] => [
      [rule, ['tools', name]],
      [rule?.readOnlyUnless, ['tools', name, 'readOnlyUnless']],
    ]),
    ...Object.entries(prompts).map(([name, rule]): Written => [rule, ['prompts', name]]),
    ...Object.entries(resources).map(([uri, rule]): Written => [rule, ['resources', uri]]),
  ];
  return written.flatMap(([rule, path]) => (rule === undefined ? [] : [[rule, path] as const]));
}

function checkScopes({ scopes = [] }: SoundRequirement, at: Path, known: readonly string[] | undefined) {
  return scopes.flatMap((scope, index): ConfigFault[] => {
    if (scope === undefined || known === undefined || known.includes(scope)) return [];
    const meant = findLikelyWord(scope, known);
    return [
      {
        path: describePath([...at, 'scopes', index]),
        problem: 'is no scope of this backend, so nobody could ever have it',
        remedy: meant === undefined ? `Scopes here: ${known.join(', ')}` : `Did you mean ${meant}?`,
      },
    ];
  });
}

function checkTenants({ tenants = [] }: SoundRequirement, at: Path, known: readonly string[] | undefined) {
  return tenants.flatMap((tenant, index): ConfigFault[] =>
    tenant === undefined || known === undefined || known.includes(tenant)
      ? []
      : [
          {
            path: describePath([...at, 'tenants', index]),
            problem: 'is no tenant whose people may sign in here, so nobody could ever pass',
            remedy: 'Write a tenant of entra.tenant, or add this one there',
          },
        ],
  );
}

function checkAmbiguity(keys: readonly string[], at: Path): ConfigFault[] {
  return listAmbiguities(keys).map(([one, other]) => ({
    path: describePath([...at, other]),
    problem: `can fit the same name as ${one}, and is exactly as specific, so it cannot be said which rule decides`,
    remedy: 'Make one of them longer, or join the two',
  }));
}
