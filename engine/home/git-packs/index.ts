export type { PackReuse } from './reuse.ts';
export { packReuse } from './reuse.ts';
