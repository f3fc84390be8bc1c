/** What is wrong with the configuration, where, and what to write instead. Never holds a value that may be secret. */
export interface ConfigFault {
  /** As in the file: `backends.snippets.upstream`, `entra.tenant[1]`; `line 7` for text that is not YAML. */
  readonly path: string;
  readonly problem: string;
  readonly remedy: string;
}

/** A fault whose place the caller knows. */
export type Complaint = Omit<ConfigFault, 'path'>;

export function complain(problem: string, remedy: string): Complaint {
  return { problem, remedy };
}

/** `['backends', 'a b', 0]` → `backends["a b"][0]`. */
export function describePath(parts: readonly PropertyKey[]): string {
  const text = parts
    .map((part) => {
      if (typeof part === 'number') return `[${part}]`;
      return /^[\w-]+$/.test(String(part)) ? `.${String(part)}` : `[${JSON.stringify(String(part))}]`;
    })
    .join('');
  return text.startsWith('.') ? text.slice(1) : text;
}
