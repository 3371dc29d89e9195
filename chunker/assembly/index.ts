export { joinMessages, outputEnd, placeAt, rowCount, rowSum, stoppedAt, takeRows, unreadBytes } from './copy';
export { cutRows, findNewline, nextRow } from './rows';
export { scan, seedFactors, seedWords } from './scan';
export { hash } from './siphash';
