/** What a caller must have. Every part that is present must hold; an empty requirement holds for everybody. */
export interface Requirement {
  /** At least one of these app roles. */
  readonly anyRole?: readonly string[];
  /** All of these app roles. */
  readonly allRoles?: readonly string[];
  /** All of these scopes. */
  readonly scopes?: readonly string[];
}

/** The rules of one backend. */
export interface BackendRules {
  /** To use the backend at all. */
  readonly enter: Requirement;
  /** By exact tool name. */
  readonly tools: Readonly<Record<string, Requirement>>;
  /** Tools that `tools` does not name: `allow` (default) asks for `enter` only, `deny` keeps them from everybody. */
  readonly otherTools?: 'allow' | 'deny';
}
