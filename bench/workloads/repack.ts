import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Step } from '../compare/result.ts';
import { assertSameTree } from '../compare/same-tree.ts';
import { fastImport, git } from '../instance/git.ts';
import { type Dice, rollDice } from '../instance/random.ts';
import { folderBytes } from '../rows/dump.ts';
import { presentPeers, settled } from './files.ts';
import type { Workload } from './workload.ts';

const all = { files: 3_000, commits: 600 };
const quick = { files: 100, commits: 10 };
const commitsLater = 15;
const filesACommit = 15;

/** What is stored again when Git has written a repository's pack anew: each round is another repository. */
export const repack: Workload = {
  name: 'repack',
  about: 'a repository of 28,000 objects, 15 commits, then `git repack -ad`',
  async run(options) {
    const startedMs = performance.now();
    const size = options.quick ? quick : all;
    const peers = presentPeers(options);
    const shares: Record<string, number[]> = Object.fromEntries(peers.map(({ name }) => [name, []]));
    let packBytes = 0;
    for (let round = 0; round < options.rounds; round += 1) {
      const scratch = join(options.folder, 'round');
      const source = join(scratch, 'home');
      mkdirSync(source, { recursive: true });
      const history = new History(join(source, 'repository'), { ...size, seed: options.seed + round });
      await history.begin();
      const stores = [];
      for (const peer of peers) {
        const folder = join(scratch, peer.name);
        mkdirSync(folder);
        const store = await peer.open(folder);
        await store.backUp(source);
        stores.push({ peer, folder, store, before: folderBytes(store.folder) });
      }
      await history.goOn(commitsLater);
      packBytes = history.packBytes();
      for (const { peer, folder, store, before } of stores) {
        const { name } = peer;
        await settled(() => store.backUp(source));
        // An archive that is written anew each time is no growth of the one before.
        const stored =
          name === 'rsync + tar' ? folderBytes(store.folder) : folderBytes(store.folder) - before;
        const target = join(folder, 'restored');
        mkdirSync(target);
        await store.restore(target);
        assertSameTree(source, target, peer);
        shares[name]!.push((100 * stored) / packBytes);
        options.say(
          `  round ${round + 1}, ${name}: ${((100 * stored) / packBytes).toFixed(1)} % of the pack stored again`,
        );
      }
      rmSync(scratch, { recursive: true, force: true });
    }
    const step: Step = {
      name: 'stored again after repack',
      unit: 'share',
      runs: shares,
      targets: [{ kind: 'at-most', value: 8 }],
    };
    return {
      workload: repack.name,
      data: { ...size, packBytes },
      steps: [step],
      seconds: (performance.now() - startedMs) / 1000,
    };
  },
};

interface HistoryOptions {
  readonly files: number;
  readonly commits: number;
  readonly seed: number;
}

/** A bare repository whose text files change a little with each commit. */
class History {
  readonly #folder: string;
  readonly #dice: Dice;
  readonly #options: HistoryOptions;
  readonly #files: string[][];
  #commits = 0;

  constructor(folder: string, options: HistoryOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#dice = rollDice(options.seed);
    this.#files = Array.from({ length: options.files }, () =>
      this.#dice.text(2_000 + this.#dice.below(10_000)).split('\n'),
    );
  }

  async begin(): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    await git(['init', '--bare', '--quiet', '.'], { cwd: this.#folder });
    await this.#import(this.#options.commits);
    await this.#repack();
  }

  async goOn(commits: number): Promise<void> {
    await this.#import(commits);
    await this.#repack();
  }

  packBytes(): number {
    const folder = join(this.#folder, 'objects', 'pack');
    return readdirSync(folder)
      .filter(name => name.endsWith('.pack'))
      .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  }

  async #repack(): Promise<void> {
    await git(['repack', '-adq', '--threads=2'], { cwd: this.#folder });
  }

  async #import(commits: number): Promise<void> {
    await fastImport(this.#folder, async write => {
      for (let i = 0; i < commits; i += 1) {
        const isFirst = this.#commits === 0;
        const at = 1_700_000_000 + 60 * this.#commits++;
        await write(`commit refs/heads/main\ncommitter bench <bench@localhost> ${at} +0000\ndata 0\n`);
        if (i === 0 && !isFirst) await write('from refs/heads/main^0\n');
        const changed = isFirst ? this.#files.keys() : this.#change();
        for (const file of changed) {
          const text = this.#files[file]!.join('\n');
          await write(`M 100644 inline folder-${file % 40}/file-${file}\ndata ${text.length}\n${text}\n`);
        }
      }
    });
  }

  *#change(): Iterable<number> {
    for (let i = 0; i < filesACommit; i += 1) {
      const file = this.#dice.below(this.#files.length);
      const lines = this.#files[file]!;
      for (let change = 0; change < 3; change += 1)
        lines[this.#dice.below(lines.length)] += ` # ${this.#dice.below(2 ** 31).toString(16)}`;
      yield file;
    }
  }
}
