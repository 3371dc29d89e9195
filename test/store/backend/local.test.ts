import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { openLocalBackend } from '../../../store/backend/index.ts';
import { backendContract } from './contract.ts';

const scratch = await mkdtemp(join(tmpdir(), 'stillpoint-backend-'));
after(() => rm(scratch, { recursive: true }));
const freshFolder = (): Promise<string> => mkdtemp(join(scratch, 'store-'));

backendContract('local', {
  make: async () => await openLocalBackend(await freshFolder()),
  again: backend => openLocalBackend(backend.location),
});
