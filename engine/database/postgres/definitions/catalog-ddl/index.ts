export type { CatalogDdlOptions } from './definitions.ts';
export { readLargeObjectDdl } from './large-objects.ts';
export type { CatalogDdl } from './read.ts';
export { readCatalogDdl } from './read.ts';
