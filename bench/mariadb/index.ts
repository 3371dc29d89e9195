export { Chain } from './chain.ts';
export { fuzzMariadb } from './fuzz.ts';
