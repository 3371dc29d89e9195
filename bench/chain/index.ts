export type { ChainOptions, ChainResult } from './chain.ts';
export { removeRestored, restoreAside, runChain } from './chain.ts';
