import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { crc32 } from 'hash-wasm';
import { systemSeams } from '../../store/index.ts';

const run = promisify(execFile);
/** Beside what is built, so that a build from scratch begins with new ones. */
const templates = fileURLToPath(new URL('../../.servers/', import.meta.url));
const identifierBytes = 8;
/** In the long page header, which begins each segment of the log. */
const identifierInLog = 24;
/** More than the fields of any version take before their checksum. */
const controlBytesMax = 512;
const castagnoli = 0x82f6_3b78;

/** A cluster that nobody has started, and how to make one. */
export interface Cluster {
  /** Tells one kind of cluster from another. */
  readonly name: string;
  readonly data: string;
  readonly password: string;
  /** Fills `data`, as `initdb` does. */
  make(): Promise<void>;
}

/**
 * Fills the folder of a cluster with a copy of the first of its name, which spares the half second of a core that
 * `initdb` takes, and gives it a system identifier of its own; or makes it, and keeps a copy for the next. Returns the
 * superuser's password, which is that of the first. Several processes may do so at once.
 */
export async function fillCluster(cluster: Cluster): Promise<string> {
  const kept = join(templates, `${cluster.name}-${process.getuid?.()}`);
  if (!existsSync(kept)) {
    await cluster.make();
    await keep(cluster, kept);
    return cluster.password;
  }
  await run('cp', ['-R', join(kept, 'data'), cluster.data]);
  await giveIdentity(cluster.data);
  return readFile(join(kept, 'password'), 'utf8');
}

async function keep({ data, password }: Cluster, kept: string): Promise<void> {
  const own = `${kept}.${process.pid}`;
  try {
    await mkdir(own, { recursive: true, mode: 0o700 });
    await run('cp', ['-R', data, join(own, 'data')]);
    await writeFile(join(own, 'password'), password, { mode: 0o600 });
    await rename(own, kept);
  } catch {
    // Another process was quicker, or nothing can be kept there.
    await rm(own, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Another system identifier: it is in the control file and in the log. */
async function giveIdentity(data: string): Promise<void> {
  const identifier = systemSeams.randomness.bytes(identifierBytes);
  identifier[identifierBytes - 1]! &= 0x7f; // it is shown as a signed number
  const controlFile = join(data, 'global', 'pg_control');
  const control = await readFile(controlFile);
  const checksumAt = await findChecksum(control);
  control.set(identifier);
  control.writeUInt32LE(await checksum(control.subarray(0, checksumAt)), checksumAt);
  await writeFile(controlFile, control);
  const log = join(data, 'pg_wal');
  for (const name of (await readdir(log)).filter(one => /^[0-9A-F]{24}$/.test(one))) {
    const segment = await readFile(join(log, name));
    segment.set(identifier, identifierInLog);
    await writeFile(join(log, name), segment);
  }
}

/** Where the checksum of all that is before it stands: each version has other fields. */
async function findChecksum(control: Buffer): Promise<number> {
  for (let at = identifierBytes; at < controlBytesMax; at += 4)
    if ((await checksum(control.subarray(0, at))) === control.readUInt32LE(at)) return at;
  throw new Error('Cannot read pg_control: it has no checksum');
}

async function checksum(bytes: Buffer): Promise<number> {
  return Number.parseInt(await crc32(bytes, castagnoli), 16);
}
