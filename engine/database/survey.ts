import { type Entry, type ListingGap, type ListingRoot, salvageListing } from '../../store/index.ts';
import { lostRanges } from '../repair/losses.ts';
import type { DatabaseSalvage } from './kind.ts';

/** Looks at each entry that is left of a listing; gives the gaps between them, which become reasons of the losses. */
export async function surveyListing(
  listing: ListingRoot,
  look: { readonly salvage: DatabaseSalvage; readonly note: (entry: Entry) => Promise<void> },
): Promise<ListingGap[]> {
  const { salvage, note } = look;
  const gaps: ListingGap[] = [];
  for await (const step of salvageListing(salvage.source, listing)) {
    if ('gap' in step) {
      gaps.push(step.gap);
      salvage.losses.because({ id: step.gap.node, kind: 'node' });
    } else await note(step.entry);
  }
  return gaps;
}

/** Whether all is there that an entry refers to; what is not becomes a reason of the losses. */
export async function isEntryWhole(entry: Entry, salvage: DatabaseSalvage): Promise<boolean> {
  let isWhole = true;
  for (const content of entry.contents)
    for (const { ref } of await lostRanges(content, salvage)) {
      salvage.losses.because(ref);
      isWhole = false;
    }
  return isWhole;
}
