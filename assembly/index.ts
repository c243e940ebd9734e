/**
 * What the module exports, under the names `field_operation` and `group_operation`.
 *
 * The memory is imported and may be shared between threads. Every instance must be given a thread-local block
 * (`setTls`) before anything else is called. All addresses are 16-byte aligned unless they point into an array.
 */
import * as Fr from "./fr.generated";

export { setTls, heapBase, tlsSize } from "./layout";

/** Bytes of an element of Fq or Fr and of a pair; they depend on the arithmetic the module was built with. */
export function fieldSize(): usize { return Fr.SIZE; }
export function pairSize(): usize { return Fr.PAIR; }
export { isFused } from "./fq.generated";

export {
  putLane as fq_putLane, getLane as fq_getLane,
  mul as fq_mul, sqr as fq_sqr, add as fq_add, sub as fq_sub, neg as fq_neg, toMont as fq_toMont, fromMont as fq_fromMont,
  fromBytes as fq_fromBytes, toBytes as fq_toBytes, canonical as fq_canonical, mul2 as fq_mul2, mulAdd2 as fq_mulAdd2,
  add2 as fq_add2, sub2 as fq_sub2, subLazy2 as fq_subLazy2, negCanonical as fq_negCanonical, fromBytesR256 as fq_fromBytesR256,
} from "./fq.generated";
export { inv as fq_inv, isZero as fq_isZero } from "./fq";
export {
  mul as fq2_mul, sqr as fq2_sqr, add as fq2_add, sub as fq2_sub, neg as fq2_neg, inv as fq2_inv, mulAdd as fq2_mulAdd,
  sqrAdd as fq2_sqrAdd, isZero as fq2_isZero, join as fq2_join, split as fq2_split,
} from "./fq2";
export {
  putLane as fr_putLane, getLane as fr_getLane,
  mul as fr_mul, sqr as fr_sqr, add as fr_add, sub as fr_sub, neg as fr_neg, inv as fr_inv, toMont as fr_toMont,
  fromMont as fr_fromMont, fromBytes as fr_fromBytes, toBytes as fr_toBytes, canonical as fr_canonical, mul2 as fr_mul2,
  mulAdd2 as fr_mulAdd2, add2 as fr_add2, sub2 as fr_sub2, bytesBelowP as fr_bytesBelowP, sumLanes as fr_sumLanes,
  fromBytesR512 as fr_fromBytesR512,
} from "./fr.generated";
export { recode as fr_recode } from "./scalars";

export {
  pointSize as g1_pointSize, baseSize as g1_baseSize, jacobianSize as g1_jacobianSize, jacFromAffine as g1_fromAffine,
  jacToAffine as g1_toAffine, jacDouble as g1_double, jacAdd as g1_add, jacMul as g1_mul, jacHorner as g1_horner,
  onCurve as g1_onCurve, pointFromBytes as g1_fromBytes, pointToBytes as g1_toBytes, loadBases as g1_loadBases,
  storeBases as g1_storeBases,
  msmScratch as g1_msmScratch, msmWindow as g1_msmWindow, fixedTableSize as g1_fixedTableSize,
  fixedScratch as g1_fixedScratch, fixedTable as g1_fixedTable, fixedMul as g1_fixedMul,
} from "./curve";
export { batchAdd as g1_batchAdd, batchScratch as g1_batchScratch } from "./batch_g1";
export {
  pointSize as g2_pointSize, baseSize as g2_baseSize, jacobianSize as g2_jacobianSize, jacFromAffine as g2_fromAffine,
  jacToAffine as g2_toAffine, jacDouble as g2_double, jacAdd as g2_add, jacMul as g2_mul, jacHorner as g2_horner,
  onCurve as g2_onCurve, pointFromBytes as g2_fromBytes, pointToBytes as g2_toBytes, loadBases as g2_loadBases,
  storeBases as g2_storeBases,
  msmScratch as g2_msmScratch, msmWindow as g2_msmWindow, fixedTableSize as g2_fixedTableSize,
  fixedScratch as g2_fixedScratch, fixedTable as g2_fixedTable, fixedMul as g2_fixedMul,
} from "./curve_g2.generated";
export { batchAdd as g2_batchAdd, batchScratch as g2_batchScratch } from "./batch_g2";

export {
  nttTwiddles as ntt_twiddles, nttCoset as ntt_coset, nttOuterDif as ntt_outerDif, nttOuterDit as ntt_outerDit,
  nttBlock as ntt_block, nttForward as ntt_forward, nttLoad as ntt_load, nttStore as ntt_store,
} from "./ntt";
export {
  qapScratch as qap_scratch, qapWitness as qap_witness, qapCount as qap_count, qapLoad as qap_load, qapRows as qap_rows,
  qapProduct as qap_product, qapQuotient as qap_quotient, qapCoefficient as qap_coefficient,
  qapStoreCoefficients as qap_storeCoefficients,
  setupLagrange as setup_lagrange, setupAccumulate as setup_accumulate, setupScale as setup_scale, setupBytes as setup_bytes,
  setupCombine as setup_combine,
} from "./qap";
