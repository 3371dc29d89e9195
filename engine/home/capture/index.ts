export { type CaptureContext, captureTree } from './capture.ts';
export { listTree, storeKept } from './finish.ts';
export { Pins } from './pinned.ts';
export { estimateTree, type LookContext, prescanTree } from './prescan.ts';
export { makeReport, notesOf, type Report } from './report.ts';
export { checkShrunk } from './shrunk.ts';
export { makeTree, type RootPlan, type Tree } from './tree.ts';
export { steadyRows } from './trust.ts';
