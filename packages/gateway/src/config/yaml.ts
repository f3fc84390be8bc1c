import { err, ok, type Result } from '@valetkey/core/base/result';
import { type Document, LineCounter, parseDocument, visit } from 'yaml';
import type { ConfigFault } from './fault.ts';

const maxCharacters = 1024 * 1024;
/** Enough for anchors that people write; too few for an alias bomb. */
const maxAliasCount = 50;

/**
 * Reads YAML 1.2. The parser's own messages quote the text around a fault, which may be a secret: only its fault
 * code and the place are kept.
 */
export function parseYaml(text: string): Result<unknown, ConfigFault[]> {
  if (text.length > maxCharacters) return err([fault('the file', 'is larger than 1 MiB')]);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const faults = listFaults(document, lines);
  if (faults.length > 0) return err(faults);
  try {
    // An empty file is a map without settings: then each one that it lacks can be named.
    return ok(document.toJS({ maxAliasCount }) ?? {});
  } catch {
    return err([fault('the file', 'expands too many aliases')]);
  }
}

/** A star without quotes throws the parser off for what follows, so what it says from there on is left out. */
function listFaults(document: Document.Parsed, lines: LineCounter): ConfigFault[] {
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `line ${line}, column ${col}`;
  };
  const stars = findUnknownAliases(document);
  const [firstStar = Infinity] = stars;
  return [
    ...document.errors
      .filter(({ pos }) => pos[0] < firstStar)
      .map(({ code, pos }) => fault(at(pos[0]), `is not YAML (${code.toLowerCase().replaceAll('_', ' ')})`)),
    ...stars.map((offset) => ({ path: at(offset), ...unquotedStar })),
  ];
}

const unquotedStar = {
  problem: 'begins with *, which in YAML names an anchor, and no anchor of that name comes before it',
  remedy: 'Quote it: "*" for a name or a pattern that begins with a star, such as "*": or "*_file":',
};

/** @returns where they begin. */
function findUnknownAliases(document: Document.Parsed): number[] {
  const anchors = new Set<string>();
  const found: number[] = [];
  visit(document, {
    Value(_key, { anchor }) {
      if (anchor !== undefined) anchors.add(anchor);
    },
    Alias(_key, { source, range }) {
      const start = range?.[0];
      if (!anchors.has(source) && start !== undefined) found.push(start);
    },
  });
  return found;
}

function fault(path: string, problem: string): ConfigFault {
  return {
    path,
    problem,
    remedy: 'Correct the YAML there; an editor with the JSON Schema shows it while you write',
  };
}
