/** `ECONNRESET` and the like; undefined for what is no fault of the network. */
export function systemCodeOf(fault: unknown): string | undefined {
  if (fault instanceof AggregateError) return systemCodeOf(fault.errors[0]);
  if (!(fault instanceof Error) || !('code' in fault) || typeof fault.code !== 'string') return undefined;
  return /^(E[A-Z]{3,}|ERR_TLS_\w+|ERR_SSL_\w+|CERT_\w+|[A-Z_]*CERT[A-Z_]*|DEPTH_ZERO_\w+)$/.test(fault.code)
    ? fault.code
    : undefined;
}
