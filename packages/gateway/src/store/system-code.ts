const tlsCode = /^(ERR_TLS_\w+|ERR_SSL_\w+|[A-Z_]*CERT[A-Z_]*|UNABLE_TO_\w+)$/;

/** `ECONNRESET` and the like; undefined for what is no fault of the network. */
export function systemCodeOf(fault: unknown): string | undefined {
  if (fault instanceof AggregateError) return systemCodeOf(fault.errors[0]);
  if (!(fault instanceof Error) || !('code' in fault) || typeof fault.code !== 'string') return undefined;
  return /^E[A-Z]{3,}$/.test(fault.code) || isTlsCode(fault.code) ? fault.code : undefined;
}

/** The other side's certificate is not trusted, or it speaks no TLS. */
export function isTlsCode(code: string | undefined): boolean {
  return code !== undefined && tlsCode.test(code);
}
