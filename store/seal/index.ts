export { decodeHeader, headerBytes, type Kem, type ObjectHeader } from './header.ts';
export { recipientPublicKey } from './kem.ts';
export { type ObjectKind, objectKinds, type Purpose } from './kinds.ts';
export {
  type CreateSealOptions,
  createSeal,
  createSealTo,
  joinObject,
  type ObjectSeal,
  openObject,
  openSeal,
  proofSeal,
  type SealKeys,
  type SealMaterial,
  sealFrom,
  sealLeadBytes,
  sealObject,
  sealOverheadBytes,
  trailerOrdinal,
} from './object-seal.ts';
export { isSignedBy, type Signer, signatureBytes, signerFrom } from './signature.ts';
