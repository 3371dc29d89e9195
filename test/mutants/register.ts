// For --import: makes this process and its children run with the mutant that STILLPOINT_MUTANT names.
import { mutants } from './all.ts';
import { loadWith } from './mutant.ts';

const name = process.env['STILLPOINT_MUTANT'];
const mutant = mutants.find(other => other.name === name);
if (mutant === undefined) throw new Error(`Cannot mutate: there is no mutant ${name}`);
loadWith(mutant);
