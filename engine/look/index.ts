export { databaseMark, nameOfRoot, rootsOf, type StoredRoot } from './address.ts';
export { readPath } from './content.ts';
export { diffDatabases } from './database-diff.ts';
export { findBelow } from './find.ts';
export { type EntryChange, HomeDifference } from './home-diff.ts';
export { type Listed, type ListedPath, listPath } from './list.ts';
export { exactText, printable, printableText } from './names.ts';
export type { RefChange } from './refs.ts';
export { repositoryFolders } from './repositories.ts';
