import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandMoment, CommandRecord } from '../../engine/command/index.ts';
import type { Snapshot } from '../../engine/pair.ts';
import { checkPairing } from '../../engine/pairing.ts';
import type { SnapshotId } from '../../store/index.ts';
import { somePair } from '../helpers/pairs.ts';
import { smallStore } from '../helpers/small-store.ts';

const ran = (...moments: CommandMoment[]): CommandRecord[] =>
  moments.map(moment => ({ moment, name: null, run: 'true', durationMs: 1, output: '' }));

const { fence } = somePair;
const snapshot = { ...somePair, id: '0'.repeat(64) as SnapshotId, host: 'host', sequence: 1 };
const byCommands = {
  ...snapshot,
  fence: { ...fence, kind: 'command', taskId: null },
  commands: ran('lock', 'wait', 'unlock'),
} satisfies Snapshot;
const cold = {
  ...snapshot,
  fence: {
    ...fence,
    ...{ kind: 'stopped', taskId: null, heldMs: 0 },
    ...{ lockRequestedAtMs: null, lockedAtMs: null, drainedAtMs: null, unlockedAtMs: null },
  },
} satisfies Snapshot;

test('a fence of each kind is whole with what its kind has, and not without it', async () => {
  const { store } = await smallStore({ snapshots: 1 });
  const whole: readonly Snapshot[] = [
    snapshot,
    byCommands,
    cold,
    { ...cold, fence: { ...cold.fence, kind: 'none', capturedAtMs: null } },
  ];
  for (const one of whole) assert.equal(await checkPairing(store, one), undefined, one.fence.kind);
  const broken: readonly Snapshot[] = [
    { ...snapshot, fence: { ...fence, taskId: null } },
    { ...snapshot, fence: { ...fence, drainedAtMs: null } },
    { ...byCommands, fence: { ...byCommands.fence, unlockedAtMs: null } },
    { ...byCommands, fence: { ...byCommands.fence, capturedAtMs: null } },
    { ...byCommands, commands: ran('lock', 'wait') },
    { ...byCommands, commands: ran('unlock') },
    { ...cold, fence: { ...cold.fence, capturedAtMs: null } },
    { ...cold, fence: { ...cold.fence, heldMs: 5 } },
  ];
  for (const one of broken) assert.ok(await checkPairing(store, one), JSON.stringify(one.fence));
});
