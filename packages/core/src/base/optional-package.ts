/** Packages that only some installations need: who does without pays nothing for them, not even the download. */

/**
 * Loads what is built on such a package.
 *
 * @param purpose what it is wanted for: `A store in Redis`.
 * @throws Error that says what to install, where it is missing.
 */
export async function loadOptional<Module>(purpose: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    const missing = findMissingPackage(error);
    if (missing === undefined) throw error;
    throw new Error(`${purpose} needs the package ${missing}: npm install ${missing}`, { cause: error });
  }
}

/** Node says it in words only. A file of a package that is there, but not whole, is another matter. */
function findMissingPackage(error: unknown): string | undefined {
  const { code, message = '' } = error as { readonly code?: unknown; readonly message?: string };
  return code === 'ERR_MODULE_NOT_FOUND' ? /^Cannot find package '([^']+)'/.exec(message)?.[1] : undefined;
}
