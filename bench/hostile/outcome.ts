import { StillpointError } from '../../store/index.ts';

/** What became of a case: done, or refused with a code; whatever else is a finding. */
export type Outcome = { readonly ended: string } | { readonly finding: string };

/** An error of another kind has no code, no exit code and no sentence for a person. */
export async function outcomeOf(work: () => Promise<void>): Promise<Outcome> {
  try {
    await work();
    return { ended: 'done' };
  } catch (error) {
    if (error instanceof StillpointError && error.message !== '') return { ended: error.code };
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { finding: `no code: ${text}` };
  }
}
