// Every record of the protocol, specified in FORMAT.md, 11; some have no writer yet.

export {
  type DoneRecord,
  doneRecord,
  type GenerationRecord,
  generationRecord,
  type SweepRecord,
  sweepRecord,
} from './generation-records.ts';
export {
  type DamageRecord,
  damageRecord,
  type ForgottenRecord,
  forgottenRecord,
  type HoldRecord,
  holdRecord,
  type LedgerAct,
  type LedgerRecord,
  ledgerRecord,
} from './note-records.ts';
export { decodeRefs, encodeRefs, type RecordCodec } from './record-codec.ts';
export {
  type AbortedRecord,
  abortedRecord,
  type HeartbeatRecord,
  heartbeatRecord,
  type IntentRecord,
  intentRecord,
  type SessionRecord,
  sessionRecord,
} from './run-records.ts';
