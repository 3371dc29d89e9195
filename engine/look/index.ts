export { databaseMark, nameOfRoot, type StoredRoot } from './address.ts';
export { readPath } from './content.ts';
export { groupOf, nameOfItem } from './database-things.ts';
export { type Listed, type ListedPath, listPath } from './list.ts';
export { exactText, printable, printableText } from './names.ts';
