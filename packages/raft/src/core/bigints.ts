/** Math.min and Math.max refuse bigints. */

export function smaller(a: bigint, b: bigint): bigint {
  return b < a ? b : a;
}

export function larger(a: bigint, b: bigint): bigint {
  return a < b ? b : a;
}
