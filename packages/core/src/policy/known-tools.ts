import type { KnownTools } from './decide.ts';

export interface ListedTool {
  readonly name: string;
  readonly isReadOnly: boolean;
}

export interface LearnedTools extends KnownTools {
  /**
   * The latest word counts; of a tool that is listed twice at once, that it does not only read.
   * @returns whether something was new.
   */
  learn(tools: readonly ListedTool[]): boolean;
  /** All that is known, the oldest word first. */
  list(): ListedTool[];
}

/** A backend with more tools than this is asked about the others again and again. */
const defaultMaxTools = 5000;
const maxNameLength = 512;

/** What a backend says of its tools, from its own lists. Bounded: the word that is oldest is forgotten first. */
export function createLearnedTools(maxTools: number = defaultMaxTools): LearnedTools {
  const known = new Map<string, boolean>();
  const take = ({ name, isReadOnly }: ListedTool): boolean => {
    if (name.length > maxNameLength) return false;
    const isNew = known.get(name) !== isReadOnly;
    known.delete(name);
    known.set(name, isReadOnly);
    const [oldest] = known.size > maxTools ? known.keys() : [];
    if (oldest !== undefined) known.delete(oldest);
    return isNew;
  };
  return {
    isReadOnly: (name) => known.get(name),
    learn: (tools) => onceEach(tools).filter(take).length > 0,
    list: () => [...known].map(([name, isReadOnly]) => ({ name, isReadOnly })),
  };
}

function onceEach(tools: readonly ListedTool[]): ListedTool[] {
  const said = new Map<string, boolean>();
  for (const { name, isReadOnly } of tools) said.set(name, isReadOnly && said.get(name) !== false);
  return [...said].map(([name, isReadOnly]) => ({ name, isReadOnly }));
}
