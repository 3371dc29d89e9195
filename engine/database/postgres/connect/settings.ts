/** The same values come out as the same text on every run and read back as the same values on restore. */
export const rowSettings: readonly (readonly [string, string])[] = [
  ['timezone', 'UTC'],
  ['datestyle', 'ISO,YMD'],
  ['intervalstyle', 'postgres'],
  ['extra_float_digits', '3'],
  ['bytea_output', 'hex'],
  ['lc_monetary', 'C'],
  ['xmloption', 'content'],
  ['search_path', ''],
  ['quote_all_identifiers', 'off'], // reg* values are names
  ['row_security', 'off'],
  ['standard_conforming_strings', 'on'],
];

/** A run may not be ended, blocked or reordered by what the server's configuration says about other people's sessions. */
const runSettings: readonly (readonly [string, string])[] = [
  ['synchronize_seqscans', 'off'],
  ['max_parallel_workers_per_gather', '0'],
  ['jit', 'off'],
  ['statement_timeout', '0'],
  ['idle_in_transaction_session_timeout', '0'],
  ['idle_session_timeout', '0'],
  ['lock_timeout', '2s'],
  ['default_transaction_read_only', 'off'],
  ['default_transaction_isolation', 'read committed'],
];

/** Everything that is set on a connection, for a server of a version. */
export function sessionSettings(serverVersionNumber: number): readonly (readonly [string, string])[] {
  const newer = serverVersionNumber >= 170_000 ? [['transaction_timeout', '0'] as const] : [];
  return [...rowSettings, ...runSettings, ...newer];
}
