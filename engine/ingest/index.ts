export type { ContentWriter } from './content.ts';
export { contentWriter } from './content.ts';
export type { ContentPart } from './read.ts';
export { contentBytes, contentParts, readContent, readExtent } from './read.ts';
export type { RowsWriter } from './rows.ts';
export { rowsWriter } from './rows.ts';
