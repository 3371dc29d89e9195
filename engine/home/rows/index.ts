export { arenaBlockShift, ByteArena, ContentArena, XattrSets } from './arena.ts';
export type { HomeBase, RememberedRows, TreeBase } from './base.ts';
export { LinkedNames, LinkGroups } from './links.ts';
export { loadBase } from './load-base.ts';
export { rememberedRows } from './remember.ts';
export { type KnownRows, type Origin, origins, RowSequence } from './sequence.ts';
export {
  type IsSame,
  isEqual,
  isSame,
  isSettled,
  type Look,
  type State,
} from './states.ts';
export { type Columns, EntryTable, type Row, type RowSums } from './table.ts';
