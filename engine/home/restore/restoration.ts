import type { ChunkSource } from '../../../store/index.ts';
import type { HomeEntry } from '../entries/entry.ts';
import type { Pace } from '../pace.ts';
import { type BytePath, shown } from '../paths.ts';
import type { Libc } from '../system/libc.ts';
import type { MetadataWriter } from './metadata.ts';
import type { Identity, TargetFolders } from './target.ts';
import type { WriteAhead } from './write-ahead.ts';

/** A restore on its way. */
export interface Restoration {
  readonly source: ChunkSource;
  /** Undefined where the source gives chunks only. */
  readonly ahead: WriteAhead | undefined;
  /** Files that wait for their bytes. */
  readonly open: Set<number>;
  readonly isRoot: boolean;
  readonly libc: Libc | undefined;
  readonly metadata: MetadataWriter;
  readonly folders: TargetFolders<HomeEntry>;
  /** The first name of each file that has several. */
  readonly made: Map<string, Identity & { readonly folder: BytePath; readonly name: BytePath }>;
  readonly done: { files: number; folders: number; bytes: number };
  devicesSkipped: number;
  linksCopied: number;
  /** Folders and files that are kept open for what is left. */
  readonly openMax: number;
  /** Of attributes of the folders that are not finished. */
  heldBytes: number;
  /** What gives rights to whoever runs or opens it. */
  readonly trusted: { files: number; devices: number; readonly names: BytePath[] };
  readonly pace: Pace;
}

/** What an entry's attributes take. */
export const attributeBytes = ({ xattrs }: HomeEntry): number =>
  xattrs.reduce((sum, { name, value }) => sum + name.length + value.length, 0);

const setIdBits = 0o6000;
const trustedNamesMax = 5;

/** Counts what root should look at before others may use the home: as another user, it gives no rights but one's own. */
export function noteTrusted({ path, kind, mode, xattrs }: HomeEntry, { trusted, isRoot }: Restoration): void {
  if (!isRoot) return;
  const isDevice = kind === 'characterDevice' || kind === 'blockDevice';
  const isFile =
    kind === 'file' &&
    ((mode & setIdBits) !== 0 || xattrs.some(({ name }) => name === 'security.capability'));
  if (!isDevice && !isFile) return;
  if (isDevice) trusted.devices++;
  else trusted.files++;
  if (trusted.names.length < trustedNamesMax) trusted.names.push(path);
}

/** What the person is to be told at the end. */
export function warningsOf({ metadata, devicesSkipped, linksCopied, trusted }: Restoration): string[] {
  const { owners, attributes, attributeNames } = metadata.losses;
  const warnings: string[] = [];
  if (owners > 0)
    warnings.push(`Owners of ${owners} entries were not restored: only root may give files away`);
  if (attributes > 0) {
    const names = [...attributeNames].slice(0, 5).map(shown).join(', ');
    warnings.push(`${attributes} extended attributes were not restored: ${names}`);
  }
  if (devicesSkipped > 0) warnings.push(`${devicesSkipped} FIFOs or devices were not made again`);
  if (linksCopied > 0)
    warnings.push(`${linksCopied} hard links became files of their own: the target refuses them`);
  if (trusted.files + trusted.devices > 0) {
    const names = trusted.names.map(shown).join(', ');
    warnings.push(
      `${trusted.files} files with set-id bits or capabilities and ${trusted.devices} devices were restored: ${names}`,
    );
  }
  return warnings;
}
