import { engineError } from '../errors.ts';
import { printableText } from '../look/names.ts';

/** A database is shown as three folders. */
export const databaseGroups = ['definitions', 'sequences', 'tables'] as const;
export type DatabaseGroup = (typeof databaseGroups)[number];

/** PATH_UNKNOWN, as an error, with what is near. */
export function unknownThing(path: string, near: readonly string[]): Error {
  return engineError('PATH_UNKNOWN', `Cannot find database:${path}: the database holds no such thing`, {
    remedy:
      near.length > 0
        ? `Did you mean ${near.map(one => `database:${printableText(one)}`).join(' or ')}?`
        : 'See what there is with `stillpoint ls SNAPSHOT database: -r`.',
    context: { near },
  });
}

/** A text as what a thing reads as. */
export async function* said(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
