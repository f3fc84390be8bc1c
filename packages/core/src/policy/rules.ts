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
  /** By exact tool name; a tool that is not named needs `enter` only. */
  readonly tools: Readonly<Record<string, Requirement>>;
}
