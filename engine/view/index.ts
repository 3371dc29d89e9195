export { checkDataStores } from './checks.ts';
export { type Freeze, type FrozenHome, type FrozenHomeOptions, openFrozenHome } from './frozen-home.ts';
export { type DropOptions, dropLeftViews, type LeftView, type LeftViews, stillLeft } from './leftover.ts';
