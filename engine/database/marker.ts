/** Kept as the comment of a database while it is being restored: it must not be taken for whole. */
export interface Marker {
  readonly snapshot: string;
  /** Whether the restore made the database itself. */
  readonly isOurs: boolean;
  /** What the comment was before. */
  readonly comment: string | null;
}

export function writeMarker({ snapshot, isOurs, comment }: Marker): string {
  const before = comment === null ? '-' : Buffer.from(comment, 'utf8').toString('base64url');
  return `stillpoint: restore unfinished ${snapshot} ${isOurs ? 'created' : 'given'} ${before}.`;
}

/** Undefined where the comment is no marker. */
export function readMarker(comment: string | null): Marker | undefined {
  const found = /^stillpoint: restore unfinished (\S+) (created|given) (\S*)\.$/.exec(comment ?? '');
  if (!found) return undefined;
  const before = found[3] === '-' ? null : Buffer.from(found[3] ?? '', 'base64url').toString('utf8');
  return { snapshot: found[1]!, isOurs: found[2] === 'created', comment: before };
}
