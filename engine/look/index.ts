export { databaseMark, nameOfRoot, rootsOf, type StoredRoot } from './address.ts';
export { readPath } from './content.ts';
export {
  type DatabaseDifference,
  diffDatabases,
  type SequenceChange,
  type TableChange,
} from './database-diff.ts';
export { groupOf, nameOfItem } from './database-things.ts';
export { findBelow } from './find.ts';
export { type EntryChange, HomeDifference } from './home-diff.ts';
export { type Listed, type ListedPath, listPath } from './list.ts';
export { exactText, printable, printableText } from './names.ts';
export type { RefChange } from './refs.ts';
export { repositoryFolders } from './repositories.ts';
