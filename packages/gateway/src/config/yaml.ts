import { err, ok, type Result } from '@valetkey/core/base/result';
import { LineCounter, parseDocument } from 'yaml';
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
  if (document.errors.length > 0) {
    return err(
      document.errors.map(({ code, pos }) => {
        const { line, col } = lines.linePos(pos[0]);
        return fault(
          `line ${line}, column ${col}`,
          `is not YAML (${code.toLowerCase().replaceAll('_', ' ')})`,
        );
      }),
    );
  }
  try {
    // An empty file is a map without settings: then each one that it lacks can be named.
    return ok(document.toJS({ maxAliasCount }) ?? {});
  } catch {
    return err([fault('the file', 'names an unknown alias, or expands too many of them')]);
  }
}

function fault(path: string, problem: string): ConfigFault {
  return {
    path,
    problem,
    remedy: 'Correct the YAML there; an editor with the JSON Schema shows it while you write',
  };
}
