/** What a caller must have. Every part that is present must hold; an empty requirement holds for everybody. */
export interface Requirement {
  /** At least one of these app roles. */
  readonly anyRole?: readonly string[];
  /** All of these app roles. */
  readonly allRoles?: readonly string[];
  /** All of these scopes. */
  readonly scopes?: readonly string[];
  /** A member of at least one of these groups, by object id. */
  readonly anyGroup?: readonly string[];
  /** A person of one of these tenants, by id. */
  readonly tenants?: readonly string[];
  /** Through one of these clients: a client id, or `https://host/*` for every metadata document of a host. */
  readonly clients?: readonly string[];
}

export interface ToolRequirement extends Requirement {
  /**
   * Needed as well, unless the backend itself says of the tool that it only reads (`annotations.readOnlyHint`). That is
   * the backend's claim, which nobody checks; what it has not said of a tool counts as not said.
   */
  readonly readOnlyUnless?: Requirement;
}

/** What has no rule of its own: `allow` asks for `enter` only, `deny` keeps it from everybody. */
export type Others = 'allow' | 'deny';

/**
 * The rules of one backend, by exact name or by pattern (`pattern.ts`). An exact name beats every pattern, and of the
 * patterns the most specific one decides alone.
 */
export interface BackendRules {
  /** To use the backend at all; it holds for every operation, beside the rule of what is asked for. */
  readonly enter: Requirement;
  /** By tool name. */
  readonly tools: Readonly<Record<string, ToolRequirement>>;
  /** By prompt name. */
  readonly prompts?: Readonly<Record<string, Requirement>>;
  /** By resource URI. */
  readonly resources?: Readonly<Record<string, Requirement>>;
  /** Default: allow. */
  readonly otherTools?: Others;
  readonly otherPrompts?: Others;
  readonly otherResources?: Others;
}

/** Every requirement of the rules, those of `readOnlyUnless` among them. */
export function listRequirements(rules: BackendRules): Requirement[] {
  const tools = Object.values(rules.tools);
  return [
    rules.enter,
    ...tools,
    ...tools.flatMap(({ readOnlyUnless }) => readOnlyUnless ?? []),
    ...Object.values(rules.prompts ?? {}),
    ...Object.values(rules.resources ?? {}),
  ];
}

/** The groups that the rules name: of all groups of a person, the only ones worth knowing. */
export function listNamedGroups(rules: BackendRules): string[] {
  return [...new Set(listRequirements(rules).flatMap(({ anyGroup }) => anyGroup ?? []))];
}
