import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkForecast, forecast } from '../../../engine/latch/forecast.ts';
import { StillpointError } from '../../../store/index.ts';
import { goldenPair } from '../../helpers/pairs.ts';

const last = {
  fence: { ...goldenPair.fence, lockMs: 5, drainMs: 20, captureMs: 100, unlockMs: 8, heldMs: 133 },
  entries: 1_000,
};

test('without an earlier window it is the walk that was just taken', () => {
  const found = forecast({ entries: 500, walkMs: 40, restMs: 0, windows: [] });
  assert.deepEqual(found, { captureMs: 40, heldMs: 40 });
});

test('an earlier window tells what an entry costs, and what stands around the capture', () => {
  const found = forecast({ entries: 2_000, walkMs: 40, restMs: 0, windows: [last] });
  assert.deepEqual(found, { captureMs: 200, heldMs: 233 });
  const slower = forecast({ entries: 2_000, walkMs: 300, restMs: 50, windows: [last] });
  assert.deepEqual(slower, { captureMs: 350, heldMs: 383 });
});

test('a snapshot that was not latched tells nothing', () => {
  const unlatched = { ...last, fence: { ...last.fence, kind: 'none' as const } };
  assert.equal(forecast({ entries: 2_000, walkMs: 40, restMs: 0, windows: [unlatched] }).heldMs, 40);
});

test('a window that commands held tells as much as one that was latched', () => {
  const byCommands = { ...last, fence: { ...last.fence, kind: 'command' as const } };
  assert.equal(forecast({ entries: 2_000, walkMs: 40, restMs: 0, windows: [byCommands] }).heldMs, 233);
});

test('one window that was slow by chance does not decide', () => {
  const slow = { ...last, fence: { ...last.fence, captureMs: 9_000, drainMs: 5_000 } };
  const found = forecast({ entries: 2_000, walkMs: 40, restMs: 0, windows: [last, last, slow] });
  assert.deepEqual(found, { captureMs: 200, heldMs: 233 });
});

test('over the budget it is refused', () => {
  checkForecast({ captureMs: 900, heldMs: 1_000 }, { maxHoldMs: 1_000 });
  assert.throws(
    () => checkForecast({ captureMs: 900, heldMs: 1_001 }, { maxHoldMs: 1_000 }),
    (error: unknown) => error instanceof StillpointError && error.code === 'LATCH_OVERRUN',
  );
});
